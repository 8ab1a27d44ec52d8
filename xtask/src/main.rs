//! Build, run, test, generate, bench.
fn main() {}
