//! Watches subscriptions: a stream that says nothing past its deadline is no market to trade on. A venue that
//! acknowledges a subscription on the wrong path and then sends nothing is found here too.
//!
//! Time comes with the inputs, so that a replay of the journal finds the same silence at the same input.

use crate::codec::Event;
use engine::ids::{ConnectionId, InstrumentId};
use engine::time::Nanos;

/// One stream that was subscribed to: on which connection, of which instrument, what it sends, and how long it may
/// say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The connection that carries it.
    pub connection: ConnectionId,
    /// What it is about.
    pub instrument: InstrumentId,
    /// What its frames decode to.
    pub event: Event,
    /// The longest silence, ns; zero: it may say nothing for ever. Of snapshots: after how long one is asked for.
    pub silence_ns: Nanos,
}

/// All subscriptions of a run.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    watched: Vec<Watched>,
    /// First of `watched` by connection: they are sorted.
    of_connection: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    subscription: Subscription,
    /// Its connection was opened and not lost since, or brought something of it all the same. One that is down is no
    /// news until it is opened.
    is_open: bool,
    /// When it last spoke, or its connection was last opened.
    heard_ns: Nanos,
    is_silent: bool,
    /// Times that it was found silent since it last spoke.
    misses: u32,
}

/// A stream that stays silent is reported again after twice its deadline, then four times, up to so many doublings: a
/// connection that was opened anew may carry it no better.
const DOUBLINGS_MAX: u32 = 5;

impl Watch {
    /// Watches `subscriptions`. Nothing carries them before their connections are opened.
    #[must_use]
    pub fn new(mut subscriptions: Vec<Subscription>) -> Self {
        subscriptions.sort_by_key(|one| (one.connection, one.instrument, one.event as u8));
        let connections = subscriptions.last().map_or(0, |last| last.connection.index() + 1);
        let first = |connection| subscriptions.partition_point(|one| one.connection.index() < connection);
        let of_connection = (0..=connections).map(first).collect();
        let watch = |subscription| Watched {
            subscription,
            is_open: false,
            heard_ns: Nanos(0),
            is_silent: false,
            misses: 0,
        };
        Self { watched: subscriptions.into_iter().map(watch).collect(), of_connection }
    }

    /// A frame of a connection decoded to an event.
    #[inline]
    pub fn heard(&mut self, connection: ConnectionId, instrument: InstrumentId, event: Event, now: Nanos) {
        if self.watched.is_empty() {
            return;
        }
        for watched in self.of(connection) {
            if watched.subscription.instrument == instrument && watched.subscription.event == event {
                *watched = Watched { is_open: true, heard_ns: now, is_silent: false, misses: 0, ..*watched };
            }
        }
    }

    /// A connection was opened anew: its streams have their time again.
    pub fn opened(&mut self, connection: ConnectionId, now: Nanos) {
        for watched in self.of(connection) {
            *watched = Watched { is_open: true, heard_ns: now, is_silent: false, ..*watched };
        }
    }

    /// Time is `now`: the first subscription of an open connection that has just become silent, or is so again. Call
    /// until there is none.
    pub fn next_silent(&mut self, now: Nanos) -> Option<Subscription> {
        for watched in self.watched.iter_mut().filter(|watched| watched.is_open) {
            let bound = watched.subscription.silence_ns;
            let bound = Nanos(bound.0.saturating_mul(1 << watched.misses.min(DOUBLINGS_MAX)));
            if bound.0 > 0 && now.since(watched.heard_ns) > bound {
                watched.is_silent = true;
                watched.misses = watched.misses.saturating_add(1);
                watched.heard_ns = now;
                return Some(watched.subscription);
            }
        }
        None
    }

    /// Whether some open connection other than `but` carries the instrument's event and is not silent.
    #[must_use]
    pub fn is_carried(&self, instrument: InstrumentId, event: Event, but: ConnectionId) -> bool {
        self.watched.iter().any(|watched| {
            let one = &watched.subscription;
            let is_it = one.instrument == instrument && one.event == event && one.connection != but;
            is_it && watched.is_open && !watched.is_silent
        })
    }

    /// A connection was lost: until it is opened anew nothing is carried by it.
    pub fn lost(&mut self, connection: ConnectionId) {
        self.of(connection).iter_mut().for_each(|watched| watched.is_open = false);
    }

    /// The subscription in this place, from 0, of those that a connection carries. None: it has no more.
    pub fn subscription(&mut self, connection: ConnectionId, place: usize) -> Option<Subscription> {
        self.of(connection).get(place).map(|watched| watched.subscription)
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    fn of(&mut self, connection: ConnectionId) -> &mut [Watched] {
        let index = connection.index();
        let (from, to) = (self.of_connection.get(index), self.of_connection.get(index + 1));
        match (from, to) {
            (Some(from), Some(to)) => self.watched.get_mut(*from..*to).unwrap_or_default(),
            _ => &mut [],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTC: InstrumentId = InstrumentId(0);
    const ETH: InstrumentId = InstrumentId(1);

    fn subscription(connection: u16, instrument: InstrumentId, event: Event, s: u64) -> Subscription {
        let silence_ns = Nanos(s * Nanos::SECOND.0);
        Subscription { connection: ConnectionId(connection), instrument, event, silence_ns }
    }

    fn at(s: u64) -> Nanos {
        Nanos((100 + s) * Nanos::SECOND.0)
    }

    #[test]
    fn a_stream_is_silent_past_its_deadline_and_again_after_twice_as_long_and_after_it_spoke() {
        let mut watch =
            Watch::new(vec![subscription(0, BTC, Event::Delta, 3), subscription(0, BTC, Event::Trades, 0)]);
        watch.opened(ConnectionId(0), at(0));
        assert_eq!(watch.next_silent(at(3)), None);
        let silent = subscription(0, BTC, Event::Delta, 3);
        assert_eq!((watch.next_silent(at(4)), watch.next_silent(at(9))), (Some(silent), None));
        assert_eq!((watch.next_silent(at(11)), watch.next_silent(at(23))), (Some(silent), None));
        assert_eq!((watch.next_silent(at(24)), watch.next_silent(at(24))), (Some(silent), None));
        let at = |s: u64| at(s + 20);
        watch.heard(ConnectionId(0), BTC, Event::Delta, at(10));
        assert_eq!((watch.next_silent(at(13)), watch.next_silent(at(14))), (None, Some(silent)));
        watch.opened(ConnectionId(0), at(20));
        assert_eq!((watch.next_silent(at(26)), watch.next_silent(at(27))), (None, Some(silent)));
    }

    #[test]
    fn another_events_frames_do_not_speak_for_a_stream() {
        let mut watch =
            Watch::new(vec![subscription(1, ETH, Event::Delta, 3), subscription(0, ETH, Event::Delta, 9)]);
        watch.opened(ConnectionId(0), at(0));
        watch.opened(ConnectionId(1), at(0));
        watch.heard(ConnectionId(1), ETH, Event::Ticker, at(2));
        watch.heard(ConnectionId(1), BTC, Event::Delta, at(2));
        watch.heard(ConnectionId(7), ETH, Event::Delta, at(2));
        assert_eq!(watch.next_silent(at(4)).map(|one| one.connection), Some(ConnectionId(1)));
    }

    #[test]
    fn a_partner_carries_on_while_it_speaks() {
        let mut watch =
            Watch::new(vec![subscription(0, BTC, Event::Delta, 3), subscription(1, BTC, Event::Delta, 3)]);
        let (a, b) = (ConnectionId(0), ConnectionId(1));
        assert!(!watch.is_carried(BTC, Event::Delta, a), "it was never opened");
        watch.opened(b, at(0));
        assert!(watch.is_carried(BTC, Event::Delta, a) && !watch.is_carried(ETH, Event::Delta, a));
        watch.heard(a, BTC, Event::Delta, at(0));
        watch.lost(b);
        assert!(!watch.is_carried(BTC, Event::Delta, a) && watch.is_carried(BTC, Event::Delta, b));
        watch.opened(b, at(0));
        assert!(watch.is_carried(BTC, Event::Delta, a));
        assert_eq!(watch.subscription(a, 0), Some(subscription(0, BTC, Event::Delta, 3)));
        assert_eq!((watch.subscription(a, 1), watch.subscription(ConnectionId(7), 0)), (None, None));
    }

    #[test]
    fn a_connection_that_is_down_is_not_found_silent_until_it_is_opened() {
        let mut watch = Watch::new(vec![subscription(0, BTC, Event::Delta, 3)]);
        assert_eq!(watch.next_silent(at(9)), None, "it was never opened");
        watch.opened(ConnectionId(0), at(10));
        watch.lost(ConnectionId(0));
        assert_eq!(watch.next_silent(at(99)), None);
        watch.opened(ConnectionId(0), at(100));
        assert_eq!(watch.next_silent(at(103)), None);
        assert_eq!(watch.next_silent(at(104)), Some(subscription(0, BTC, Event::Delta, 3)));
    }
}
