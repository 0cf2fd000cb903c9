//! Names to addresses, on a thread of its own: the system's resolver blocks.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

/// The way to the resolving thread. It ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Resolver {
    questions: Sender<Question>,
}

struct Question {
    host: String,
    port: u16,
    answer: Sender<Answer>,
}

type Answer = Result<Vec<SocketAddr>, String>;

/// A question on its way.
#[derive(Debug)]
pub struct Lookup(Way);

#[derive(Debug)]
enum Way {
    Known(Vec<SocketAddr>),
    Asked(Receiver<Answer>),
}

impl Resolver {
    /// Starts the thread. Err: there is none to be had.
    pub fn start() -> io::Result<Self> {
        let (questions, asked) = mpsc::channel::<Question>();
        std::thread::Builder::new().name("resolver".into()).spawn(move || {
            for Question { host, port, answer } in asked {
                let found = (host.as_str(), port).to_socket_addrs();
                // Who asked may have given up.
                let _ = answer.send(found.map(Iterator::collect).map_err(|error| error.to_string()));
            }
        })?;
        Ok(Self { questions })
    }

    /// Asks for the addresses of `host`, which may be an address itself. Does not wait.
    #[must_use]
    pub fn lookup(&self, host: &str, port: u16) -> Lookup {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Lookup::known(vec![SocketAddr::new(address, port)]);
        }
        let (answer, answers) = mpsc::channel();
        // A dead thread drops its end, which is then the answer.
        let _ = self.questions.send(Question { host: host.to_owned(), port, answer });
        Lookup(Way::Asked(answers))
    }
}

impl Lookup {
    /// The answer is these addresses.
    #[must_use]
    pub const fn known(addresses: Vec<SocketAddr>) -> Self {
        Self(Way::Known(addresses))
    }

    /// The addresses in the order to try them, once. None: not yet. Err: the system's reason.
    #[must_use]
    pub fn poll(&mut self) -> Option<Result<Vec<SocketAddr>, String>> {
        let answers = match &mut self.0 {
            Way::Known(addresses) => return Some(Ok(std::mem::take(addresses))),
            Way::Asked(answers) => answers,
        };
        match answers.try_recv() {
            Ok(Ok(addresses)) if addresses.is_empty() => Some(Err("it has no address".to_owned())),
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("the resolver's thread has ended".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(mut lookup: Lookup) -> Answer {
        loop {
            if let Some(answer) = lookup.poll() {
                return answer;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn names_and_addresses_have_addresses_and_nonsense_has_a_reason() {
        let resolver = Resolver::start().unwrap();
        let address = "127.0.0.1:80".parse().unwrap();
        assert_eq!(wait(resolver.lookup("127.0.0.1", 80)), Ok(vec![address]));
        assert_eq!(wait(resolver.lookup("::1", 80)), Ok(vec!["[::1]:80".parse().unwrap()]));
        assert!(wait(resolver.lookup("localhost", 80)).unwrap().iter().any(|found| found.ip().is_loopback()));
        assert!(!wait(resolver.lookup("no.such.name.invalid", 80)).unwrap_err().is_empty());
        assert!(!wait(resolver.lookup("", 80)).unwrap_err().is_empty());
    }
}
