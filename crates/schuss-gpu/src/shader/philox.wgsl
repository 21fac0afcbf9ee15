// High half of the product of two words.
fn high_product(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let middle = a_high * b_low + ((a_low * b_low) >> 16u);
    let carry = a_low * b_high + (middle & 0xffffu);
    return a_high * b_high + (middle >> 16u) + (carry >> 16u);
}

// Philox4x32-10, as in schuss_data::random.
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let high_0 = high_product(0xd2511f53u, c.x);
        let high_1 = high_product(0xcd9e8d57u, c.z);
        c = vec4<u32>(high_1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high_0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
        k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// The 32 bits of an element, drawn for a sample at its position in the epoch; high is the top of the counter.
fn drawn(sample: u32, element: u32, high: u32) -> u32 {
    let words = philox(vec4<u32>(element / 4u, table_word(6u) + sample, table_word(5u), high), seed());
    return words[element % 4u];
}
