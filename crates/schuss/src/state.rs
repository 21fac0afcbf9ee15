//! Saving and loading of state, bit for bit: each type lists its parts once, for both directions.

use crate::json;
use schuss_kernels::Buffer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind, Read, Write};

/// State that can be saved, and loaded into a value created for the same trial.
pub trait State {
    /// Passes every part to `codec`, in the same order in both directions.
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()>;
}

/// State with a copy, for which memory is allocated once.
pub trait Snapshot {
    /// Returns a copy of the state alone, without scratch memory.
    fn snapshot(&self) -> Self;

    /// Copies the state of `other`, which belongs to the same trial; scratch memory keeps its size.
    fn copy_from(&mut self, other: &Self);
}

/// Direction of the transfer, and its stream.
pub enum StateCodec<'a> {
    /// Parts are written.
    Save(&'a mut dyn Write),
    /// Parts are replaced by those read.
    Load(&'a mut dyn Read),
}

/// Size of the buffer for numbers, in bytes.
const ROOM: usize = 8_192;

impl StateCodec<'_> {
    /// Returns true if parts are loaded.
    pub fn loads(&self) -> bool {
        matches!(self, Self::Load(_))
    }

    fn bytes(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Save(to) => to.write_all(bytes),
            Self::Load(from) => from.read_exact(bytes),
        }
    }

    /// Saves or loads numbers, little-endian.
    pub fn words<T: Word>(&mut self, words: &mut [T]) -> io::Result<()> {
        let mut room = [0; ROOM];
        for words in words.chunks_mut(ROOM / T::BYTES) {
            let bytes = &mut room[..words.len() * T::BYTES];
            for (bytes, word) in bytes.chunks_exact_mut(T::BYTES).zip(&*words) {
                word.put(bytes);
            }
            self.bytes(bytes)?;
            for (bytes, word) in bytes.chunks_exact(T::BYTES).zip(words) {
                *word = T::take(bytes);
            }
        }
        Ok(())
    }

    /// Saves or loads a list, with its length. It grows as elements are read, so that a wrong length does not allocate
    /// more memory than the file has bytes.
    pub fn list<T>(
        &mut self,
        list: &mut Vec<T>,
        fresh: impl Fn() -> T,
        mut each: impl FnMut(&mut Self, &mut T) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut len = list.len() as u64;
        len.code(self)?;
        list.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        for index in 0..len {
            if index >= list.len() as u64 {
                list.push(fresh());
            }
            let last = index as usize;
            each(self, &mut list[last])?;
        }
        Ok(())
    }

    /// Saves or loads a small value as JSON.
    pub fn json<T: Serialize + DeserializeOwned>(&mut self, value: &mut T) -> io::Result<()> {
        let mut text = if self.loads() { vec![] } else { serde_json::to_vec(value)? };
        self.list(&mut text, || 0, |codec, byte| codec.bytes(std::slice::from_mut(byte)))?;
        *value = json::read(&text)?;
        Ok(())
    }

    /// Saves `here`, or checks that the saved number equals it; `what` is the error message.
    pub fn expect(&mut self, what: &'static str, mut here: u64) -> io::Result<()> {
        let ours = here;
        here.code(self)?;
        if here == ours { Ok(()) } else { Err(io::Error::new(ErrorKind::InvalidData, what)) }
    }
}

/// A number of a fixed size.
pub trait Word: Copy {
    /// Size in bytes.
    const BYTES: usize;

    /// Writes it to `bytes`.
    fn put(self, bytes: &mut [u8]);

    /// Reads it from `bytes`.
    fn take(bytes: &[u8]) -> Self;
}

macro_rules! words {
    ($($number:ty),*) => {$(
        impl Word for $number {
            const BYTES: usize = size_of::<$number>();

            fn put(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }

            fn take(bytes: &[u8]) -> Self {
                bytes.try_into().map_or(Default::default(), Self::from_le_bytes)
            }
        }

        impl State for $number {
            fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
                codec.words(std::slice::from_mut(self))
            }
        }
    )*};
}

words!(u32, u64, f32, f64);

impl State for usize {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        let mut number = *self as u64;
        number.code(codec)?;
        *self = usize::try_from(number).map_err(io::Error::other)?;
        Ok(())
    }
}

impl State for bool {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        let mut number = u32::from(*self);
        number.code(codec)?;
        *self = number != 0;
        Ok(())
    }
}

impl State for Buffer {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        codec.expect("a tensor has a different size", self.len() as u64)?;
        codec.words(self)
    }
}

impl<T: State, const N: usize> State for [T; N] {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.iter_mut().try_for_each(|part| part.code(codec))
    }
}

impl<T: State> State for Option<T> {
    /// Both sides must be `Some`, or both `None`.
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        codec.expect("a part is missing", u64::from(self.is_some()))?;
        self.iter_mut().try_for_each(|part| part.code(codec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Sample {
        count: u64,
        small: [f32; 3],
        list: Vec<f64>,
        text: String,
    }

    impl State for Sample {
        fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
            self.count.code(codec)?;
            self.small.code(codec)?;
            codec.list(&mut self.list, || 0.0, |codec, number| number.code(codec))?;
            codec.json(&mut self.text)
        }
    }

    fn state() -> Sample {
        Sample { count: u64::MAX, small: [f32::NAN, -0.0, 1e-40], list: vec![0.1; 3_000], text: "ü".into() }
    }

    fn blank() -> Sample {
        Sample { count: 0, small: [0.0; 3], list: vec![7.0; 5], text: String::new() }
    }

    #[test]
    fn what_was_written_is_read_back_bit_by_bit() {
        let (mut bytes, mut back) = (vec![], blank());
        state().code(&mut StateCodec::Save(&mut bytes)).unwrap();
        back.code(&mut StateCodec::Load(&mut &bytes[..])).unwrap();
        assert_eq!(back.small.map(f32::to_bits), state().small.map(f32::to_bits));
        assert_eq!((back.count, back.list, back.text), (u64::MAX, state().list, "ü".to_owned()));
    }

    #[test]
    fn what_ends_early_or_does_not_fit_is_an_error() {
        let mut bytes = vec![];
        state().code(&mut StateCodec::Save(&mut bytes)).unwrap();
        for end in 0..bytes.len() {
            assert!(blank().code(&mut StateCodec::Load(&mut &bytes[..end])).is_err(), "{end} bytes");
        }
        let mut other = vec![];
        Buffer::zeros(4).code(&mut StateCodec::Save(&mut other)).unwrap();
        assert!(Buffer::zeros(5).code(&mut StateCodec::Load(&mut &other[..])).is_err());
    }

    #[test]
    fn a_length_beyond_the_file_takes_no_memory() {
        let mut absurd = &[0xff; 16][..];
        let read = StateCodec::Load(&mut absurd).list(&mut vec![], || 0_u64, |codec, word| word.code(codec));
        assert!(read.is_err());
    }
}
