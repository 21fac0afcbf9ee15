//! First-layer work between two blocks of delayed updates, in tasks that any thread may take.
//!
//! While a block of updates runs, its first layer's weights stay fixed. These tasks apply the pending updates
//! of the previous block and compute the products that the next block starts from, one panel of 16 outputs at
//! a time:
//!
//! ```text
//! (W, V) ← K (W, V) + (Σⱼ cⱼ xⱼ δⱼᵀ, Σⱼ eⱼ xⱼ δⱼᵀ)      over the rows j of the block before
//! Z = X W    Q = X V    G = X [X before; X]ᵀ              X: the rows of the next block
//! ```

use crate::matrix::{DOT_BLOCK, Dots, Epilogue, Factors, Left, Matrix, MatrixMut, Multiply};
use crate::matrix::{Outputs, Shape, Start, Sum, Sums, block_height, pack_left, pack_panel};
use crate::pointer::SharedMut;
use crate::single::splat;
use crate::{Buffer, Isa, Kernel, LANES, Vector};
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pending weight updates of a finished block. Rows of `x` and `delta` correspond.
#[derive(Clone, Copy, Debug)]
pub struct Owed<'a, T = f32> {
    /// X [rows, inputs]
    pub x: Matrix<'a, T>,
    /// Δ [rows, outputs]
    pub delta: Matrix<'a, T>,
    /// K: shares of the old W and V in the new W, and in the new V.
    pub keep: [[T; 2]; 2],
    /// (c, e) of every row.
    pub weigh: &'a [[T; 2]],
}

/// Inputs and outputs of the products that the next block starts from.
#[derive(Debug)]
pub struct Ahead<'a, T = f32> {
    /// X [rows, inputs]
    pub x: Matrix<'a, T>,
    /// Z [rows, outputs]
    pub z: MatrixMut<'a, T>,
    /// Q [rows, outputs], if there is a V.
    pub q: Option<MatrixMut<'a, T>>,
    /// Rows before these, and the Gram matrix with them [rows, rows before].
    pub before: Option<(Matrix<'a, T>, MatrixMut<'a, T>)>,
    /// Gram matrix of these rows among themselves [rows, rows]; entries above its diagonal are not computed.
    pub within: MatrixMut<'a, T>,
}

/// Tasks; each is done once, by the thread that takes it.
pub struct Tasks<'a> {
    isa: Isa,
    weights: [SharedMut; 2],
    has_velocity: bool,
    inputs: usize,
    stride: usize,
    owed: Option<Owed<'a>>,
    /// Rows of `owed` in blocks of `TILE_ROWS` inputs.
    packed: Buffer,
    ahead: Option<Shared<'a>>,
    /// Panels of 16 outputs per task: as many as a tile has.
    panels_at_once: usize,
    next: AtomicUsize,
}

/// [`Ahead`] with its outputs as raw pointers for the tasks.
struct Shared<'a> {
    x: Matrix<'a>,
    z: SharedMut,
    q: Option<SharedMut>,
    /// Right factors of the Gram matrices, and their destinations: pointer and stride.
    grams: [Option<(Matrix<'a>, SharedMut, usize)>; 2],
}

impl<'a> Tasks<'a> {
    /// Creates the tasks on W `[inputs, outputs]` and, if any, V of the same shape.
    ///
    /// # Panics
    /// If the shapes do not match, or a block of no rows is owed.
    pub fn new(
        isa: Isa,
        w: MatrixMut<'a>,
        v: Option<MatrixMut<'a>>,
        owed: Option<Owed<'a>>,
        ahead: Option<Ahead<'a>>,
    ) -> Self {
        let (inputs, outputs) = w.shape();
        if let Some(owed) = &owed {
            let rows = owed.weigh.len();
            assert!(rows > 0 && owed.x.shape() == (rows, inputs) && owed.delta.shape() == (rows, outputs));
        }
        assert!(v.as_ref().is_none_or(|v| v.shape() == (inputs, outputs)));
        let stride = crate::padded(outputs);
        let mut packed = PACKED.take();
        if let Some(owed) = &owed {
            isa.run(Pack { x: owed.x, to: &mut packed });
        }
        let weights = SharedMut::new(w.into_data());
        let velocity = v.map(|v| SharedMut::new(v.into_data()));
        Self {
            isa,
            weights: [weights, velocity.unwrap_or(weights)],
            has_velocity: velocity.is_some(),
            inputs,
            stride,
            owed,
            packed,
            ahead: ahead.map(|ahead| ahead.share(inputs, outputs, velocity.is_some())),
            panels_at_once: isa.run(TilePanels),
            next: AtomicUsize::new(0),
        }
    }

    /// Takes and runs tasks until none is left.
    pub fn help(&self) {
        let panels = self.stride / LANES;
        let groups = panels.div_ceil(self.panels_at_once);
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task < groups {
                let first = task * self.panels_at_once;
                let panels = first..panels.min(first + self.panels_at_once);
                self.isa.run(Panels { tasks: self, panels });
            } else if !self.gram_task(task - groups) {
                return;
            }
        }
    }

    /// Computes some columns of a Gram matrix; returns false if there is no such task.
    fn gram_task(&self, task: usize) -> bool {
        let Some(ahead) = &self.ahead else { return false };
        let at_once = DOT_BLOCK * self.panels_at_once;
        let mut first = task * at_once;
        for (index, gram) in ahead.grams.iter().enumerate() {
            let &Some((right, to, stride)) = gram else { continue };
            let (cols, _) = right.shape();
            let end = cols.next_multiple_of(at_once);
            if first < end {
                let skipped = if index == 1 { first } else { 0 }; // among themselves: from the diagonal down
                let outputs = first..cols.min(first + at_once);
                let rows = skipped..ahead.x.shape().0;
                self.isa.run(Dots { d: ahead.x, w: right, active: None, to, stride, rows, outputs });
                return true;
            }
            first -= end;
        }
        false
    }
}

impl<'a> Ahead<'a> {
    fn share(self, inputs: usize, outputs: usize, velocity: bool) -> Shared<'a> {
        let (rows, width) = self.x.shape();
        assert!(width == inputs && self.z.shape() == (rows, outputs) && self.q.is_some() == velocity);
        assert!(self.q.as_ref().is_none_or(|q| q.shape() == (rows, outputs)));
        assert!(self.within.shape() == (rows, rows));
        let gram = |right: Matrix<'a>, to: MatrixMut<'a>| {
            let (before, width) = right.shape();
            assert!(width == inputs && to.shape() == (rows, before));
            Some((right, SharedMut::new(to.into_data()), crate::padded(before)))
        };
        Shared {
            x: self.x,
            z: SharedMut::new(self.z.into_data()),
            q: self.q.map(|q| SharedMut::new(q.into_data())),
            grams: [self.before.and_then(|(right, to)| gram(right, to)), gram(self.x, self.within)],
        }
    }
}

/// Panels of 16 columns of a tile.
struct TilePanels;

impl Kernel for TilePanels {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self) -> usize {
        V::TILE_PANELS
    }
}

/// Room for some panels of 16 numbers per row.
#[derive(Default)]
struct Room {
    /// W and V, after the fold.
    copies: [Buffer; 2],
    /// Xᵀ times the weighted deltas for V.
    sums: Buffer,
    /// Weighted deltas for W and for V.
    deltas: [Buffer; 2],
}

impl Room {
    /// Makes room for `width` columns of all inputs of the layer, and of the rows of a block; without a velocity, only of
    /// what belongs to W.
    fn grow(&mut self, width: usize, inputs: usize, rows: usize, has_velocity: bool) {
        let Self { copies: [copy_w, copy_v], sums, deltas: [delta_w, delta_v] } = self;
        grow(copy_w, inputs * width);
        grow(delta_w, rows * width);
        if has_velocity {
            grow(copy_v, inputs * width);
            grow(sums, inputs * width);
            grow(delta_v, rows * width);
        }
    }
}

/// Replaces a buffer that is shorter than `len`.
fn grow(buffer: &mut Buffer, len: usize) {
    if buffer.len() < len {
        *buffer = Buffer::zeros(len);
    }
}

/// Some panels of 16 outputs of the layer: fold, then the next block's products with the new weights while they are in
/// cache.
struct Panels<'t, 'a> {
    tasks: &'t Tasks<'a>,
    panels: Range<usize>,
}

impl Kernel for Panels<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Tasks { inputs, has_velocity, .. } = *self.tasks;
        let mut room = ROOM.take();
        let rows = self.tasks.owed.map_or(0, |owed| owed.weigh.len());
        room.grow(self.width(), inputs, rows, has_velocity);
        match &self.tasks.owed {
            Some(owed) => self.fold::<V>(owed, &mut room),
            None => self.copy_weights::<V>(&mut room.copies),
        }
        if let Some(ahead) = &self.tasks.ahead {
            self.product::<V>(ahead.x, &room.copies[0], ahead.z);
            if let Some(q) = ahead.q.filter(|_| has_velocity) {
                self.product::<V>(ahead.x, &room.copies[1], q);
            }
        }
        ROOM.set(room);
    }
}

impl Panels<'_, '_> {
    /// Returns the number of columns.
    fn width(&self) -> usize {
        self.panels.len() * LANES
    }

    #[inline(always)]
    fn copy_weights<V: Vector>(&self, copies: &mut [Buffer; 2]) {
        let Tasks { inputs, stride, weights, has_velocity, .. } = *self.tasks;
        for (to, from) in copies.iter_mut().zip(weights).take(1 + usize::from(has_velocity)) {
            for (at, panel) in self.panels.clone().enumerate() {
                let to = &mut to[at * LANES..];
                // SAFETY: W and V hold this panel in every row, and only this task touches it.
                unsafe { pack_panel::<V>(from.at(panel * LANES), stride, inputs, self.width(), to) };
            }
        }
    }

    /// Folds the previous block into W and V, and keeps a copy of the new panels of each.
    #[inline(always)]
    fn fold<V: Vector>(&self, owed: &Owed, room: &mut Room) {
        let Room { copies, sums, deltas: [delta_w, delta_v] } = room;
        self.weighed_deltas::<V>(owed, 0, delta_w);
        let sums = SharedMut::new(sums);
        if self.tasks.has_velocity {
            self.weighed_deltas::<V>(owed, 1, delta_v);
            let sum = Sum { start: Start::Fresh, to: sums, stride: self.width() };
            self.tiles::<V, _>(owed, delta_v, &sum);
        }
        let fold = Fold {
            weights: self.tasks.weights,
            velocity_sums: self.tasks.has_velocity.then_some(sums),
            copies: copies.each_mut().map(|copy| SharedMut::new(copy)),
            keep: owed.keep,
            stride: self.tasks.stride,
            first: self.panels.start * LANES,
            width: self.width(),
        };
        self.tiles::<V, _>(owed, delta_w, &fold);
    }

    /// Computes these panels of Δ, every row times its c (`which` = 0) or e (1).
    #[inline(always)]
    fn weighed_deltas<V: Vector>(&self, owed: &Owed, which: usize, to: &mut Buffer) {
        for (row, (to, weigh)) in to.chunks_exact_mut(self.width()).zip(owed.weigh).enumerate() {
            let weigh = splat::<V>(weigh[which]);
            let from = &owed.delta.row(row)[self.panels.start * LANES..];
            for (to, from) in to.chunks_exact_mut(LANES).zip(from.chunks_exact(LANES)) {
                // SAFETY: both slices are 16 numbers long.
                unsafe { (weigh * V::load(from.as_ptr())).store(to.as_mut_ptr()) };
            }
        }
    }

    /// Computes Xᵀ times panels of weighted deltas, over all inputs.
    #[inline(always)]
    fn tiles<V: Vector, E: Epilogue>(&self, owed: &Owed, delta: &Buffer, epilogue: &E) {
        let (rows, depth, width) = (self.tasks.inputs, owed.weigh.len(), self.width());
        let left = Left::transposed(owed.x);
        let product = Multiply::alone(left, Shape { rows, stride: width, depth }, epilogue);
        let height = block_height::<V>(rows);
        let mut sums = Sums::ZERO;
        let blocks = self.tasks.packed.chunks_exact(height * depth).take(rows.div_ceil(height));
        for (index, block) in blocks.enumerate() {
            let outputs = Outputs::of_block(index, height, rows, 0..self.panels.len());
            let factors =
                Factors { a: block.as_ptr(), row: 1, step: height, b: delta.as_ptr(), stride: width };
            // SAFETY: `delta` holds `width` numbers for every row of X, `block` a group of `height`, and only this task
            // writes these panels.
            unsafe { product.tile::<V>(outputs, factors, &mut sums) };
        }
    }

    /// Computes X times packed panels, into these panels of `to`.
    #[inline(always)]
    fn product<V: Vector>(&self, x: Matrix, packed: &Buffer, to: SharedMut) {
        let (rows, depth) = x.shape();
        let stride = self.tasks.stride;
        let sum = Sum { start: Start::Fresh, to, stride };
        let product = Multiply::alone(Left::rows(x), Shape { rows, stride, depth }, &sum);
        let height = block_height::<V>(rows);
        let mut sums = Sums::ZERO;
        for block in 0..rows.div_ceil(height) {
            let outputs = Outputs::of_block(block, height, rows, self.panels.clone());
            let factors = product.in_place(outputs.row, packed.as_ptr(), self.width());
            // SAFETY: `packed` holds `depth` rows of these panels, and only this task writes them in `to`.
            unsafe { product.tile::<V>(outputs, factors, &mut sums) };
        }
    }
}

/// W ← k₀₀ W + k₀₁ V + sum, V ← k₁₀ W + k₁₁ V + its sum, both from the old pair.
#[derive(Clone, Copy)]
struct Fold {
    weights: [SharedMut; 2],
    velocity_sums: Option<SharedMut>,
    copies: [SharedMut; 2],
    keep: [[f32; 2]; 2],
    stride: usize,
    /// First column of the panels, and their number of columns.
    first: usize,
    width: usize,
}

impl Epilogue for Fold {
    #[inline(always)]
    fn prefetch<V: Vector>(&self, row: usize, col: usize) {
        V::prefetch(self.weights[0].wrapping_at(row * self.stride + self.first + col));
    }

    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, col: usize, sum: V) {
        let [[a, b], [c, d]] = self.keep;
        let [a, b, c, d] = [splat::<V>(a), splat::<V>(b), splat::<V>(c), splat::<V>(d)];
        let at = row * self.stride + self.first + col;
        let copy = row * self.width + col;
        // SAFETY: the weights hold these panels in every row, the others `width` numbers per row; all are this task's alone.
        unsafe {
            let w = V::load(self.weights[0].at(at));
            let mut new_w = a.mul_add(w, sum);
            if let Some(sums) = self.velocity_sums {
                let v = V::load(self.weights[1].at(at));
                new_w = b.mul_add(v, new_w);
                let sum = V::load(sums.at(copy));
                let new_v = d.mul_add(v, c.mul_add(w, sum)).flush();
                new_v.store(self.weights[1].at(at));
                new_v.store(self.copies[1].at(copy));
            }
            let new_w = new_w.flush();
            new_w.store(self.weights[0].at(at));
            new_w.store(self.copies[0].at(copy));
        }
    }
}

/// Packs the inputs of a block of rows for the fold.
struct Pack<'a> {
    x: Matrix<'a>,
    to: &'a mut Buffer,
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (depth, inputs) = self.x.shape();
        let height = block_height::<V>(inputs);
        let blocks = inputs.div_ceil(height);
        if self.to.len() < blocks * height * depth {
            *self.to = Buffer::zeros(blocks * height * depth);
        }
        pack_left::<V>(Left::transposed(self.x), inputs, depth, height, 0..blocks, self.to);
    }
}

impl Drop for Tasks<'_> {
    fn drop(&mut self) {
        PACKED.set(std::mem::take(&mut self.packed));
    }
}

thread_local! {
    /// Room for the packed inputs of the thread that creates tasks; grows and stays.
    static PACKED: Cell<Buffer> = Cell::default();
    /// Room of a thread for panels; grows and stays.
    static ROOM: Cell<Room> = Cell::default();
}

#[cfg(test)]
mod tests;
