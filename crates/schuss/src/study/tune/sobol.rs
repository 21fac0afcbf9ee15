//! Sobol points: sequences that fill a box evenly however many are taken.

/// Maximum number of dimensions.
pub(super) const DIMENSIONS: usize = 4;

const BITS: usize = 32;

/// A primitive polynomial and the first direction numbers of a dimension.
struct Direction {
    degree: usize,
    coefficients: u32,
    first: &'static [u32],
}

/// Dimensions 2 to 4 of the table `new-joe-kuo-6.21201`: Joe and Kuo, "Constructing Sobol sequences with better
/// two-dimensional projections", SIAM Journal on Scientific Computing 30, 2008.
const DIRECTIONS: [Direction; DIMENSIONS - 1] = [
    Direction { degree: 1, coefficients: 0, first: &[1] },
    Direction { degree: 2, coefficients: 1, first: &[1, 3] },
    Direction { degree: 3, coefficients: 1, first: &[1, 3, 1] },
];

/// Returns coordinate `dimension` of point `index`, in 0..1; point 0 is the origin.
pub(in crate::study) fn coordinate(index: u32, dimension: usize) -> f64 {
    let numbers = direction_numbers(dimension);
    let gray = index ^ (index >> 1);
    let bits = (0..BITS).filter(|bit| gray >> bit & 1 == 1).fold(0, |sum, bit| sum ^ numbers[bit]);
    f64::from(bits) / (BITS as f64).exp2()
}

/// Returns the direction numbers of a dimension as binary fractions.
fn direction_numbers(dimension: usize) -> [u32; BITS] {
    let mut numbers: [u32; BITS] = std::array::from_fn(|bit| 1 << (BITS - 1 - bit));
    let Some(Direction { degree, coefficients, first }) = dimension.checked_sub(1).map(|at| &DIRECTIONS[at])
    else {
        return numbers;
    };
    for bit in 0..BITS {
        numbers[bit] = match bit.checked_sub(*degree) {
            None => first[bit] << (BITS - 1 - bit),
            Some(earlier) => {
                let terms = (1..*degree).filter(|term| coefficients >> (degree - 1 - term) & 1 == 1);
                terms.fold(numbers[earlier] ^ (numbers[earlier] >> degree), |sum, term| {
                    sum ^ numbers[bit - term]
                })
            }
        };
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first ten points that the program `sobol.cc` of Joe and Kuo prints for their table.
    const PUBLISHED: [[f64; 4]; 10] = [
        [0.0, 0.0, 0.0, 0.0],
        [0.5, 0.5, 0.5, 0.5],
        [0.75, 0.25, 0.25, 0.25],
        [0.25, 0.75, 0.75, 0.75],
        [0.375, 0.375, 0.625, 0.875],
        [0.875, 0.875, 0.125, 0.375],
        [0.625, 0.125, 0.875, 0.625],
        [0.125, 0.625, 0.375, 0.125],
        [0.1875, 0.3125, 0.9375, 0.4375],
        [0.6875, 0.8125, 0.4375, 0.9375],
    ];

    #[test]
    fn the_first_points_are_the_published_ones() {
        for (index, point) in PUBLISHED.iter().enumerate() {
            let found: [f64; 4] = std::array::from_fn(|dimension| coordinate(index as u32, dimension));
            assert_eq!(found, *point, "point {index}");
        }
    }

    #[test]
    fn every_interval_of_a_sixteenth_holds_one_of_sixteen_points_in_every_dimension() {
        for dimension in 0..DIMENSIONS {
            let mut cells: Vec<u32> =
                (0..16).map(|index| (coordinate(index, dimension) * 16.0) as u32).collect();
            cells.sort_unstable();
            assert_eq!(cells, (0..16).collect::<Vec<_>>());
        }
    }
}
