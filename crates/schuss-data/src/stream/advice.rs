//! Advice given before a run whose sample order is slow for the way its data are stored.

use crate::Access;
use crate::stream::order::Order;
use crate::text::grouped;

/// Returns advice against an order that makes a store read its blocks over and over.
pub fn advice(order: Order, access: Access) -> Option<String> {
    let Access::Blocks(block) = access else { return None };
    let again = match order {
        Order::Sequential => false,
        Order::Blocks(mix) => u64::from(mix.size.get()) < block,
        Order::Shuffled | Order::Fixed | Order::Replacement => true,
    };
    again.then(|| {
        format!(
            "streamed data are read in blocks of {} samples, each many times per epoch in the order {order}; \
             a file made by `schuss data pack` is fast in any order, and `--order blocks:8,size={block}` reads each \
             block a few times at most",
            grouped(block)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_reads_blocks_often_is_advised_against() {
        let said = |order: &str, access| advice(order.parse().unwrap(), access);
        for order in ["shuffled", "fixed", "replacement", "blocks:64,size=500"] {
            let text = said(order, Access::Blocks(2_000)).unwrap();
            assert!(text.contains("by `schuss data pack` is fast in any order, and"), "{text}");
            assert!(
                text.ends_with("`--order blocks:8,size=2000` reads each block a few times at most"),
                "{text}"
            );
        }
        for order in ["sequential", "blocks:64,size=2000", "blocks:64,size=4000"] {
            assert_eq!(said(order, Access::Blocks(2_000)), None);
        }
        assert_eq!(said("shuffled", Access::Random), None);
    }
}
