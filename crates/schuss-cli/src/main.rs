//! The `schuss` command.
fn main() {
    println!("Hello, world!");
}
