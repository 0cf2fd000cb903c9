//! Every order that is open, and the ended ones that are still remembered.

use super::order::{ClientId, Order, OrderId, OrderRef};
use super::reject::Reject;
use engine::ids::{AccountId, InstrumentId};
use std::collections::{HashMap, VecDeque};

/// Orders by slot, number and name. The maps are only looked into, never walked, so their order decides nothing.
pub(super) struct Orders {
    slots: Vec<Order>,
    free: Vec<u32>,
    by_id: HashMap<OrderId, u32>,
    by_name: HashMap<(AccountId, InstrumentId, ClientId), OrderId>,
    ended: VecDeque<OrderId>,
    ended_max: usize,
    last_id: u64,
}

impl Orders {
    pub(super) fn new(ended_max: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            ended: VecDeque::new(),
            ended_max,
            last_id: 0,
        }
    }

    /// The number that the next order gets.
    pub(super) fn next_id(&self) -> OrderId {
        OrderId(self.last_id + 1)
    }

    /// Takes an order, which has got [`Self::next_id`]; `is_named`: it can be found by its client id.
    pub(super) fn insert(&mut self, order: Order, is_named: bool) -> u32 {
        debug_assert_eq!(order.id, self.next_id());
        self.last_id = order.id.0;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = order;
                slot
            }
            None => {
                self.slots.push(order);
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.by_id.insert(order.id, slot);
        if is_named {
            self.by_name.insert(name(&order), order.id);
        }
        slot
    }

    pub(super) fn at(&mut self, slot: u32) -> &mut Order {
        &mut self.slots[slot as usize]
    }

    pub(super) fn get(&self, slot: u32) -> &Order {
        &self.slots[slot as usize]
    }

    pub(super) fn slot(&self, id: OrderId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn by_id(&self, id: OrderId) -> Option<&Order> {
        self.slot(id).map(|slot| self.get(slot))
    }

    /// The newest order of a name.
    pub(super) fn named(
        &self,
        account: AccountId,
        market: InstrumentId,
        client_id: ClientId,
    ) -> Option<&Order> {
        self.by_name.get(&(account, market, client_id)).and_then(|id| self.by_id(*id))
    }

    /// The slot of an order of this account and market, open or remembered.
    pub(super) fn find(
        &self,
        account: AccountId,
        market: InstrumentId,
        order: OrderRef,
    ) -> Result<u32, Reject> {
        let found = match order {
            OrderRef::Id(id) => self.by_id(id),
            OrderRef::Client(client_id) => self.named(account, market, client_id),
            OrderRef::Both(id, client_id) => {
                let found = self.by_id(id);
                if found.is_some_and(|order| order.client_id != client_id) {
                    return Err(Reject::NamesDisagree);
                }
                found
            }
        };
        let own = found.filter(|order| order.account == account && order.market == market);
        own.and_then(|order| self.slot(order.id)).ok_or(Reject::UnknownOrder)
    }

    /// Gives an order another name.
    pub(super) fn rename(&mut self, slot: u32, client_id: ClientId) {
        let order = self.slots[slot as usize];
        self.forget_name(&order);
        self.slots[slot as usize].client_id = client_id;
        self.by_name.insert(name(&self.slots[slot as usize]), order.id);
    }

    /// An order has ended: it is remembered for a while, or at once forgotten.
    pub(super) fn end(&mut self, slot: u32, is_remembered: bool) {
        let id = self.slots[slot as usize].id;
        if !is_remembered {
            return self.forget(id);
        }
        self.ended.push_back(id);
        if self.ended.len() > self.ended_max
            && let Some(oldest) = self.ended.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, id: OrderId) {
        if let Some(slot) = self.by_id.remove(&id) {
            self.free.push(slot);
            let order = self.slots[slot as usize];
            self.forget_name(&order);
        }
    }

    fn forget_name(&mut self, order: &Order) {
        if self.by_name.get(&name(order)) == Some(&order.id) {
            self.by_name.remove(&name(order));
        }
    }

    /// Remembered ended orders, oldest first.
    pub(super) fn ended(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.ended.iter().filter_map(|id| self.by_id(*id))
    }
}

fn name(order: &Order) -> (AccountId, InstrumentId, ClientId) {
    (order.account, order.market, order.client_id)
}
