//! Samples that come in blocks, read whole: as many blocks as an order mixes are kept, so that none is read twice. Other
//! orders need no more than the one block that such a store keeps by itself.

use crate::order::{Mix, Order};
use crate::text::grouped;
use crate::{Access, Error, Result, Samples, Store};
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

/// A store of blocks seen as one of single samples.
pub(crate) struct Decoded<S> {
    store: S,
    /// Samples per block.
    block: u64,
    cache: Mutex<Cache>,
}

struct Cache {
    blocks: Vec<Block>,
    /// Blocks kept at most.
    most: usize,
    /// Samples given out.
    clock: u64,
    indices: Vec<u64>,
}

struct Block {
    /// Which it is; none while it is not whole.
    number: Option<u64>,
    samples: Samples,
    /// When one of its samples was last given out.
    used: u64,
}

impl<S> Decoded<S> {
    pub(crate) fn new(store: S, block: u64, order: Order) -> Self {
        let block = block.max(1);
        let most = usize::try_from(most(order, block).max(1)).unwrap_or(usize::MAX);
        let cache = Cache { blocks: Vec::new(), most, clock: 0, indices: Vec::new() };
        Self { store, block, cache: Mutex::new(cache) }
    }
}

/// Blocks of `block` samples that an order mixes at a time.
pub(crate) fn most(order: Order, block: u64) -> u64 {
    match order {
        Order::Blocks(mix) => u64::from(mix.blocks.get()).saturating_mul(spanned(mix, block)),
        Order::Shuffled | Order::Fixed | Order::Sequential | Order::Replacement => 0,
    }
}

/// Blocks of `block` samples that one block of an order may touch.
fn spanned(mix: Mix, block: u64) -> u64 {
    let size = u64::from(mix.size.get());
    let aligned = block.is_multiple_of(size) || size.is_multiple_of(block);
    size.div_ceil(block) + u64::from(!aligned)
}

/// What to say of an order that makes a store read its blocks again and again.
pub fn advice(order: Order, access: Access) -> Option<String> {
    let Access::Blocks(block) = access else { return None };
    let again = match order {
        Order::Sequential => false,
        Order::Blocks(mix) => u64::from(mix.size.get()) < block,
        Order::Shuffled | Order::Fixed | Order::Replacement => true,
    };
    again.then(|| {
        format!(
            "streamed data come in blocks of {} samples, each read many times an epoch in the order {order}; once with \
             `--order blocks:64,size={block}`, or from a file made by `schuss data pack`, which is fast in any order",
            grouped(block)
        )
    })
}

impl<S: Deref<Target: Store> + Send + Sync> Store for Decoded<S> {
    fn len(&self) -> u64 {
        self.store.len()
    }

    fn held(&self) -> usize {
        self.store.held()
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        if indices.is_empty() {
            return self.store.read(indices, into);
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, index) in indices.iter().enumerate() {
            let samples = cache.find(index / self.block, self.block, &*self.store)?;
            if row == 0 {
                into.make_room(samples, indices.len())?;
            }
            into.set(row, samples, (index % self.block) as usize)?;
        }
        Ok(())
    }
}

impl Cache {
    /// The samples of block `number`, in place of those of the block that was not used for longest.
    fn find(&mut self, number: u64, size: u64, from: &(impl Store + ?Sized)) -> Result<&Samples> {
        self.clock += 1;
        let place = match self.blocks.iter().position(|block| block.number == Some(number)) {
            Some(place) => place,
            None => self.load(number, size, from)?,
        };
        let block = &mut self.blocks[place];
        block.used = self.clock;
        Ok(&block.samples)
    }

    /// Reads a block; returns its place.
    fn load(&mut self, number: u64, size: u64, from: &(impl Store + ?Sized)) -> Result<usize> {
        let place = self.room();
        let first = number * size;
        self.indices.clear();
        self.indices.extend(first..from.len().min(first + size));
        let block = &mut self.blocks[place];
        block.number = None;
        from.read(&self.indices, &mut block.samples)?;
        if block.samples.len() != self.indices.len() {
            return Err(Error::data(format!("block {number} of the data is not as long as the others")));
        }
        block.number = Some(number);
        Ok(place)
    }

    /// The place of a block that may be replaced.
    fn room(&mut self) -> usize {
        if self.blocks.len() < self.most {
            self.blocks.push(Block { number: None, samples: Samples::default(), used: 0 });
            return self.blocks.len() - 1;
        }
        let oldest = self.blocks.iter().enumerate().min_by_key(|(_, block)| block.used);
        oldest.map_or(0, |(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_blocks_are_kept_as_an_order_mixes() {
        let cases = [
            ("sequential", 100, 0),
            ("blocks:8,size=100", 100, 8),
            ("blocks:8,size=50", 100, 8),
            ("blocks:8,size=300", 100, 24),
            ("blocks:8,size=30", 100, 16),
            ("blocks:8,size=150", 100, 24),
        ];
        for (order, block, most) in cases {
            assert_eq!(super::most(order.parse().unwrap(), block), most, "{order}");
        }
    }

    #[test]
    fn an_order_that_reads_blocks_often_is_advised_against() {
        let said = |order: &str, access| advice(order.parse().unwrap(), access);
        for order in ["shuffled", "fixed", "replacement", "blocks:64,size=500"] {
            let text = said(order, Access::Blocks(2_000)).unwrap();
            assert!(text.contains("once with `--order blocks:64,size=2000`, or"), "{text}");
        }
        for order in ["sequential", "blocks:64,size=2000", "blocks:64,size=4000"] {
            assert_eq!(said(order, Access::Blocks(2_000)), None);
        }
        assert_eq!(said("shuffled", Access::Random), None);
    }
}
