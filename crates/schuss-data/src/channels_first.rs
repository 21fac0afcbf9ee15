//! Channel after channel, as networks read pictures, from pixel after pixel, as most files hold them.

/// Rearranges pictures of `features` numbers each.
pub(crate) fn channels_first<T: Copy>(pixels: &[T], features: usize, channels: usize) -> Vec<T> {
    let picture = |picture: &'_ [T]| -> Vec<T> {
        (0..channels).flat_map(|channel| picture.iter().skip(channel).step_by(channels).copied()).collect()
    };
    if channels == 1 { pixels.to_vec() } else { pixels.chunks(features.max(1)).flat_map(picture).collect() }
}
