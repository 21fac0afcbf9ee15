//! Graphics cards of this machine, as `schuss doctor` lists them.

use serde_json::Value;

/// Returns a record of each card, the fastest kind first; None in a build without graphics cards.
#[cfg(feature = "gpu")]
pub(crate) fn records() -> Option<Vec<Value>> {
    let record = |card: &schuss_gpu::Adapter| {
        serde_json::json!({
            "name": card.name(),
            "kind": card.kind(),
            "interface": card.interface(),
            "driver": card.driver(),
            "largest_buffer": card.largest_buffer(),
        })
    };
    Some(schuss_gpu::Adapter::all().iter().map(record).collect())
}

#[cfg(not(feature = "gpu"))]
pub(crate) fn records() -> Option<Vec<Value>> {
    None
}

/// Describes the cards, one to a line.
pub(crate) fn describe(records: Option<&[Value]>) -> String {
    match records {
        None => "graphics     not in this build; one with --features gpu has --device gpu\n".to_owned(),
        Some([]) => "graphics     no driver offers a card; --device gpu needs Vulkan, Metal or DirectX 12\n"
            .to_owned(),
        Some(cards) => cards.iter().map(line).collect(),
    }
}

fn line(card: &Value) -> String {
    let text = |key: &str| card[key].as_str().unwrap_or_default();
    let tensor = schuss_data::text::bytes(card["largest_buffer"].as_u64().unwrap_or_default());
    format!(
        "graphics     {} ({}, {}, {}); a tensor takes at most {tensor}\n",
        text("name"),
        text("kind"),
        text("interface"),
        text("driver")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_described_in_a_line_and_none_with_the_way_to_one() {
        let card = serde_json::json!({"name": "Card 1", "kind": "discrete", "interface": "vulkan", "driver": "D 2", "largest_buffer": 1 << 27});
        let text = describe(Some(&[card]));
        assert_eq!(text, "graphics     Card 1 (discrete, vulkan, D 2); a tensor takes at most 134 MB\n");
        assert!(describe(None).contains("--features gpu") && describe(Some(&[])).contains("Vulkan"));
    }
}
