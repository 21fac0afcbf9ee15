//! Conversion of pictures from channels-last, as most files store them, to channels-first, as networks read them.

/// Converts pictures of `features` values each to channels-first.
pub(crate) fn channels_first<T: Copy>(pixels: &[T], features: usize, channels: usize) -> Vec<T> {
    let picture = |picture: &'_ [T]| -> Vec<T> {
        (0..channels).flat_map(|channel| picture.iter().skip(channel).step_by(channels).copied()).collect()
    };
    if channels == 1 { pixels.to_vec() } else { pixels.chunks(features.max(1)).flat_map(picture).collect() }
}
