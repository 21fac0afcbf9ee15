//! Update rules as WGSL.

use super::lane::Recorded;
use super::tape::{Numbers, Tape, record, with};
use super::{Knobs, Traced};
use schuss::optim::{Updater, Visitor};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Buffer, Lane};

/// `struct NAME_result { w: f32, s0: f32, ... }` and `fn NAME(g: f32, w: f32, s0: f32, ...) -> NAME_result`: the update
/// begun last of the tensor at `entry` of the layout, from its gradient (already divided by the number of samples),
/// weight and slots; results are flushed as on the processor. Its knobs stand at `first` and after.
///
/// `None` if the tensor is not trained, its rule looks at more than one element, or no update has begun. Transforms and
/// wrappers around the rule are left out.
pub fn rule(updater: &Updater<Buffer>, entry: usize, name: &str, first: usize) -> Option<Traced> {
    let tape = Tape::new(Numbers::Knobs, first);
    let (tape, found) = record(tape, || updater.visit(entry, Update { name: Some(name) }));
    found.map(|()| Traced::of(tape))
}

/// Appends the knobs of the update begun last to `to`, for the text that [`rule`] returns.
pub fn rule_knobs(updater: &Updater<Buffer>, entry: usize, to: &mut Vec<f32>) -> Option<Knobs> {
    let before = to.len();
    let tape = Tape::of_knobs(std::mem::take(to));
    let (tape, found) = record(tape, || updater.visit(entry, Update { name: None }));
    let shape = tape.shape();
    *to = tape.into_parts().1;
    found.map(|()| Knobs { count: to.len() - before, shape })
}

/// Visitor that records an update; without a name only its operations.
struct Update<'a> {
    name: Option<&'a str>,
}

impl Visitor for Update<'_> {
    type Output = ();

    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) {
        let names: [String; S] = std::array::from_fn(|slot| format!("s{slot}"));
        if let Some(name) = self.name {
            let slots: String = names.iter().map(|slot| format!(", {slot}: f32")).collect();
            with(|tape| tape.declare(&format!("struct {name}_result {{ w: f32{slots} }}")));
            with(|tape| tape.declare(&format!("fn {name}(g: f32, w: f32{slots}) -> {name}_result {{")));
        }
        let (g, w) = (Recorded::expression("g"), Recorded::expression("w"));
        let mut slots = names.each_ref().map(|slot| Recorded::expression(slot));
        let weight = update.apply(g, w, &mut slots).flush();
        let slots = slots.map(|slot| slot.flush());
        if let Some(name) = self.name {
            let slots: String = slots.iter().map(|slot| format!(", {}", slot.0)).collect();
            with(|tape| tape.declare(&format!("    return {name}_result({}{slots});\n}}", weight.0)));
        }
    }
}
