//! Stages and how they are put together.
//!
//! A [`Stage`] is a state machine: its answer depends only on the sequence of inputs it took. It writes to a
//! [`Sink`] and does not know whether that is the next stage on this thread or a ring to another one. A
//! [`Node`] is a stage with its sink; a [`Link`] is the choice between the two, made once at start. All five
//! stages nest into one type, so that dispatch inside a thread is static, and any placement is a value:
//!
//! ```text
//! one thread:   Node<Book, Link::Here(Node<Signal, Link::Here(...)>)>
//! two threads:  Node<Book, Link::Ring(sender)>      receiver -> Node<Signal, ...>
//! ```

use crate::message::{Head, Message};
use crate::ring::RingSender;
use crate::time::{Nanos, StampClock};

/// One worker of the pipeline. It never blocks, never allocates, reads no clock: time arrives in its inputs.
pub trait Stage: Send {
    /// Names the thread and the counters.
    const NAME: &'static str;

    /// Takes one input to its end. What it does not consume it passes on, in order.
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S);

    /// Takes what came from behind (executions) since the last call. Returns the inputs taken; 0 when there
    /// was none.
    #[inline]
    fn settle<S: Sink>(&mut self, _out: &mut S) -> u32 {
        0
    }

    /// An input of time `now` comes next: takes what is due before it (answers of a paper exchange). One step:
    /// all that is due at one moment. Returns what was taken; 0 when nothing is due.
    #[inline]
    fn advance<S: Sink>(&mut self, _now: Nanos, _out: &mut S) -> u32 {
        0
    }

    /// Whether it can take another input now (its journal lane has room).
    #[inline]
    fn has_room(&mut self) -> bool {
        true
    }

    /// Whether nothing more will come from behind.
    fn is_settled(&self) -> bool {
        true
    }

    /// Trading must stop now: end what is open. Called at most once, from the thread that runs the stage.
    fn halt(&mut self) {}
}

/// Where a stage's messages go.
pub trait Sink {
    /// Hands the message over whole. False: a full ring took none of it.
    fn send(&mut self, message: Message<'_>) -> bool;

    /// Whether the largest message that the next input can cause will find room.
    fn has_room(&mut self) -> bool;

    /// Lets every stage behind this sink and on this thread take what came from behind.
    fn settle(&mut self) -> u32;

    /// Lets every stage behind this sink and on this thread take what is due before an input of time `now`: all
    /// that is due at one moment. Returns what was taken; 0 when nothing is due. See `advance_to`.
    fn advance(&mut self, now: Nanos) -> u32;

    /// Whether nothing more will come from behind to a stage on this thread.
    fn is_settled(&self) -> bool;

    /// Passes the halt to every stage behind this sink and on this thread.
    fn halt(&mut self);
}

/// The head of a chain: before a message goes in, time passes to it. In every placement it is messages, and
/// nothing else, that move the time of the stages behind.
pub struct Advancing<'a, S>(pub &'a mut S);

impl<S: Sink> Sink for Advancing<'_, S> {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        advance_to(self.0, message.head.recv_ns);
        self.0.send(message)
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.0.has_room()
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        self.0.settle()
    }

    #[inline]
    fn advance(&mut self, now: Nanos) -> u32 {
        self.0.advance(now)
    }

    fn is_settled(&self) -> bool {
        self.0.is_settled()
    }

    fn halt(&mut self) {
        self.0.halt();
    }
}

/// Takes everything that is due before an input of time `now`, moment by moment, and what each moment led to.
#[inline]
fn advance_to(out: &mut impl Sink, now: Nanos) -> u32 {
    let mut work = 0;
    for _ in 0..MOMENTS_MAX {
        match out.advance(now) {
            0 => break,
            taken => work += taken + settle_all(out),
        }
    }
    work
}

/// Takes everything that came from behind, and what that led to. Bounded, so that an exchange that answers
/// every order with a rejection cannot hold the turn.
#[inline]
pub fn settle_all(out: &mut impl Sink) -> u32 {
    let mut work = 0;
    for _ in 0..SETTLE_ROUNDS_MAX {
        match out.settle() {
            0 => break,
            taken => work += taken,
        }
    }
    work
}

const SETTLE_ROUNDS_MAX: u32 = 64;
/// Moments that pass before one input at most; the rest pass before the next.
const MOMENTS_MAX: u32 = 1024;

/// A stage together with where its messages go.
pub struct Node<T, S> {
    stage: T,
    out: S,
    clock: StampClock,
    /// Which of `Head::laps` this stage's output is stamped into; none for the last stage.
    lap: Option<usize>,
    /// True while the stage is at work. A stage that unwound stays busy and is never entered again.
    busy: bool,
}

impl<T: Stage, S: Sink> Node<T, S> {
    /// Joins a stage to its sink. `lap` is the place in `Head::laps` that its output is stamped into.
    pub fn new(stage: T, out: S, clock: StampClock, lap: Option<usize>) -> Self {
        Self { stage, out, clock, lap, busy: false }
    }
}

impl<T: Stage, S: Sink> Sink for Node<T, S> {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        self.busy = true;
        match self.lap {
            Some(lap) if self.clock.is_on() => {
                let mut out = Stamping { out: &mut self.out, clock: &self.clock, lap };
                self.stage.on_message(message, &mut out);
            }
            _ => self.stage.on_message(message, &mut self.out),
        }
        self.busy = false;
        true
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.stage.has_room() && self.out.has_room()
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        self.busy = true;
        let taken = self.stage.settle(&mut self.out);
        self.busy = false;
        taken + self.out.settle()
    }

    #[inline]
    fn advance(&mut self, now: Nanos) -> u32 {
        self.busy = true;
        let taken = self.stage.advance(now, &mut self.out);
        self.busy = false;
        taken + self.out.advance(now)
    }

    fn is_settled(&self) -> bool {
        self.stage.is_settled() && self.out.is_settled()
    }

    fn halt(&mut self) {
        if !self.busy {
            self.stage.halt();
        }
        self.out.halt();
    }
}

/// Stamps what a stage sends with the time since the frame was received.
pub struct Stamping<'a, S> {
    /// Where it goes.
    pub out: &'a mut S,
    /// What it is stamped with.
    pub clock: &'a StampClock,
    /// Place in `Head::laps`.
    pub lap: usize,
}

impl<S: Sink> Sink for Stamping<'_, S> {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        if message.head.received.0 == 0 {
            return self.out.send(message);
        }
        let mut head: Head = *message.head;
        if let Some(lap) = head.laps.get_mut(self.lap) {
            *lap = self.clock.now().lap_since(head.received);
        }
        self.out.send(Message { head: &head, body: message.body })
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.out.has_room()
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        self.out.settle()
    }

    #[inline]
    fn advance(&mut self, now: Nanos) -> u32 {
        self.out.advance(now)
    }

    fn is_settled(&self) -> bool {
        self.out.is_settled()
    }

    fn halt(&mut self) {
        self.out.halt();
    }
}

/// The next stage on this thread, or a ring to the thread that has it.
pub enum Link<N> {
    /// The next stage is here.
    Here(N),
    /// The next stage is here, and time passes to it before every message, as to the head of a chain: what it is on
    /// a thread of its own, without the ring.
    Head(N),
    /// The next stage is on another thread.
    Ring(RingSender),
}

impl<N: Sink> Sink for Link<N> {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        match self {
            Self::Here(next) => next.send(message),
            Self::Head(next) => Advancing(next).send(message),
            Self::Ring(ring) => ring.send(message),
        }
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        match self {
            Self::Here(next) | Self::Head(next) => next.has_room(),
            Self::Ring(ring) => ring.has_room(),
        }
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        match self {
            Self::Here(next) | Self::Head(next) => next.settle(),
            Self::Ring(_) => 0,
        }
    }

    #[inline]
    fn advance(&mut self, now: Nanos) -> u32 {
        match self {
            Self::Here(next) | Self::Head(next) => next.advance(now),
            Self::Ring(_) => 0,
        }
    }

    fn is_settled(&self) -> bool {
        match self {
            Self::Here(next) | Self::Head(next) => next.is_settled(),
            Self::Ring(_) => true,
        }
    }

    fn halt(&mut self) {
        if let Self::Here(next) | Self::Head(next) = self {
            next.halt();
        }
    }
}

/// The end of the way: what the last stage sends goes nowhere.
pub struct Nowhere;

impl Sink for Nowhere {
    #[inline]
    fn send(&mut self, _message: Message<'_>) -> bool {
        true
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        true
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        0
    }

    #[inline]
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn halt(&mut self) {}
}
