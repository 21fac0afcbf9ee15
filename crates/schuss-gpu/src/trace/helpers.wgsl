// Operations of a lane that are not WGSL's own.

fn from_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn larger(a: f32, b: f32) -> f32 {
    return select(b, a, a > b);
}

fn smaller(a: f32, b: f32) -> f32 {
    return select(b, a, a < b);
}

fn with_sign(size: f32, sign: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(size) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}

fn where_positive(x: f32, yes: f32, no: f32) -> f32 {
    return select(no, yes, x > 0.0f);
}

fn flushed(x: f32) -> f32 {
    return select(x, 0.0f, abs(x) < 1e-30f);
}

// x 2^power
fn scale_by_power(x: f32, power: f32) -> f32 {
    return bitcast<f32>(bitcast<i32>(x) + (i32(power) << 23u));
}

// n, for x = 2^n m with m between √½ and √2
fn power_of(x: f32) -> i32 {
    return (bitcast<i32>(x) - 0x3f3504f3) >> 23u;
}

fn mantissa_of(x: f32) -> f32 {
    return bitcast<f32>(bitcast<i32>(x) - (power_of(x) << 23u));
}
