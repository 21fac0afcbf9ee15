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
use crate::matrix::{Shape, Start, Sum, pack_left, pack_panel};
use crate::pointer::SharedMut;
use crate::single::splat;
use crate::{Buffer, Isa, Kernel, LANES, Vector};
use std::cell::Cell;
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
            next: AtomicUsize::new(0),
        }
    }

    /// Takes and runs tasks until none is left.
    pub fn help(&self) {
        let panels = self.stride / LANES;
        loop {
            let task = self.next.fetch_add(1, Ordering::Relaxed);
            if task < panels {
                self.isa.run(Panel { tasks: self, panel: task });
            } else if !self.gram_task(task - panels) {
                return;
            }
        }
    }

    /// Computes some columns of a Gram matrix; returns false if there is no such task.
    fn gram_task(&self, task: usize) -> bool {
        let Some(ahead) = &self.ahead else { return false };
        let mut first = task * DOT_BLOCK;
        for (index, gram) in ahead.grams.iter().enumerate() {
            let &Some((right, to, stride)) = gram else { continue };
            let (cols, _) = right.shape();
            let blocks = cols.div_ceil(DOT_BLOCK) * DOT_BLOCK;
            if first < blocks {
                let skipped = if index == 1 { first } else { 0 }; // among themselves: from the diagonal down
                let outputs = first..cols.min(first + DOT_BLOCK);
                let rows = skipped..ahead.x.shape().0;
                self.isa.run(Dots { d: ahead.x, w: right, active: None, to, stride, rows, outputs });
                return true;
            }
            first -= blocks;
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

/// Room for panels of 16 numbers per row.
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
    /// Makes room for panels of all inputs of the layer, and of the rows of a block.
    fn grow(&mut self, inputs: usize, rows: usize) {
        let of_inputs = self.copies.iter_mut().chain([&mut self.sums]).map(|buffer| (buffer, inputs));
        let of_rows = self.deltas.iter_mut().map(|buffer| (buffer, rows));
        for (buffer, rows) in of_inputs.chain(of_rows) {
            if buffer.len() < rows * LANES {
                *buffer = Buffer::zeros(rows * LANES);
            }
        }
    }
}

/// Sixteen outputs of the layer: fold, then the next block's products with the new weights while they are in
/// cache.
struct Panel<'t, 'a> {
    tasks: &'t Tasks<'a>,
    panel: usize,
}

impl Kernel for Panel<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let Tasks { inputs, has_velocity, .. } = *self.tasks;
        let mut room = ROOM.take();
        room.grow(inputs, self.tasks.owed.map_or(0, |owed| owed.weigh.len()));
        match &self.tasks.owed {
            Some(owed) => self.fold::<V>(owed, &mut room),
            None => {
                for (to, from) in room.copies.iter_mut().zip(self.tasks.weights) {
                    // SAFETY: W and V hold this panel in every row, and only this task touches it.
                    unsafe { pack_panel::<V>(from.at(self.panel * LANES), self.tasks.stride, inputs, to) };
                }
            }
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

impl Panel<'_, '_> {
    /// Folds the previous block into W and V, and keeps a copy of the new panel of each.
    #[inline(always)]
    fn fold<V: Vector>(&self, owed: &Owed, room: &mut Room) {
        let Room { copies, sums, deltas: [delta_w, delta_v] } = room;
        self.weighed_deltas::<V>(owed, 0, delta_w);
        let sums = SharedMut::new(sums);
        if self.tasks.has_velocity {
            self.weighed_deltas::<V>(owed, 1, delta_v);
            let sum = Sum { start: Start::Fresh, to: sums, stride: LANES };
            self.tiles::<V, _>(owed, delta_v, &sum);
        }
        let fold = Fold {
            weights: self.tasks.weights,
            velocity_sums: self.tasks.has_velocity.then_some(sums),
            copies: copies.each_mut().map(|copy| SharedMut::new(copy)),
            keep: owed.keep,
            stride: self.tasks.stride,
            panel: self.panel * LANES,
        };
        self.tiles::<V, _>(owed, delta_w, &fold);
    }

    /// Computes this panel of Δ, every row times its c (`which` = 0) or e (1).
    #[inline(always)]
    fn weighed_deltas<V: Vector>(&self, owed: &Owed, which: usize, to: &mut Buffer) {
        for (row, (to, weigh)) in to.chunks_exact_mut(LANES).zip(owed.weigh).enumerate() {
            let from = &owed.delta.row(row)[self.panel * LANES..][..LANES];
            // SAFETY: both slices are 16 numbers long.
            unsafe {
                (V::splat(f64::from(weigh[which])) * V::load(from.as_ptr())).store(to.as_mut_ptr());
            }
        }
    }

    /// Computes Xᵀ times a panel of weighted deltas, over all inputs.
    #[inline(always)]
    fn tiles<V: Vector, E: Epilogue>(&self, owed: &Owed, delta: &Buffer, epilogue: &E) {
        let (rows, depth) = (self.tasks.inputs, owed.weigh.len());
        let left = Left::transposed(owed.x);
        let product = Multiply::alone(left, Shape { rows, stride: LANES, depth }, epilogue);
        let blocks = self.tasks.packed.chunks_exact(V::TILE_ROWS * depth);
        for (row, block) in (0..rows).step_by(V::TILE_ROWS).zip(blocks) {
            let factors = Factors::packed::<V>(block, delta);
            // SAFETY: `delta` holds a row of 16 for every row of X, `block` a group of `TILE_ROWS`, and only this task
            // writes this panel.
            unsafe { product.short_tile::<V>(row, 0, factors) };
        }
    }

    /// Computes X times a packed panel, into this panel of `to`.
    #[inline(always)]
    fn product<V: Vector>(&self, x: Matrix, panel: &Buffer, to: SharedMut) {
        let (rows, depth) = x.shape();
        let stride = self.tasks.stride;
        let sum = Sum { start: Start::Fresh, to, stride };
        let product = Multiply::alone(Left::rows(x), Shape { rows, stride, depth }, &sum);
        for row in (0..rows).step_by(V::TILE_ROWS) {
            let factors: Factors = product.in_place(row, panel.as_ptr(), LANES);
            // SAFETY: `panel` holds `depth` rows of 16, and only this task writes this panel of `to`.
            unsafe { product.short_tile::<V>(row, self.panel * LANES, factors) };
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
    panel: usize,
}

impl Epilogue for Fold {
    #[inline(always)]
    fn prefetch<V: Vector>(&self, row: usize, _col: usize) {
        V::prefetch(self.weights[0].wrapping_at(row * self.stride + self.panel));
    }

    #[inline(always)]
    unsafe fn start<V: Vector>(&self, _row: usize, _col: usize) -> V {
        V::splat(0.0)
    }

    #[inline(always)]
    unsafe fn finish<V: Vector>(&self, row: usize, _col: usize, sum: V) {
        let [[a, b], [c, d]] = self.keep;
        let [a, b, c, d] = [splat::<V>(a), splat::<V>(b), splat::<V>(c), splat::<V>(d)];
        let at = row * self.stride + self.panel;
        // SAFETY: the weights hold this panel in every row, the others 16 numbers per row; all are this task's alone.
        unsafe {
            let w = V::load(self.weights[0].at(at));
            let mut new_w = a.mul_add(w, sum);
            if let Some(sums) = self.velocity_sums {
                let v = V::load(self.weights[1].at(at));
                new_w = b.mul_add(v, new_w);
                let sum = V::load(sums.at(row * LANES));
                let new_v = d.mul_add(v, c.mul_add(w, sum)).flush();
                new_v.store(self.weights[1].at(at));
                new_v.store(self.copies[1].at(row * LANES));
            }
            let new_w = new_w.flush();
            new_w.store(self.weights[0].at(at));
            new_w.store(self.copies[0].at(row * LANES));
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
        let blocks = inputs.div_ceil(V::TILE_ROWS);
        if self.to.len() < blocks * V::TILE_ROWS * depth {
            *self.to = Buffer::zeros(blocks * V::TILE_ROWS * depth);
        }
        pack_left::<V>(Left::transposed(self.x), inputs, depth, 0..blocks, self.to);
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
