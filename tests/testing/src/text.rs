//! Words of programs, to damage them with.

/// Words and signs, with what lies between.
pub fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let word = |c: u8| c.is_ascii_alphanumeric() || b"_.%@#".contains(&c);
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let start = at;
        at += 1;
        if word(text[start]) {
            while at < text.len() && word(text[at]) {
                at += 1;
            }
        }
        out.push(&text[start..at]);
    }
    out
}

/// Numbers at the edge of something, signs, types and words, to stand where they should not.
pub const STRANGE: &[&str] = &[
    "-1",
    "0",
    "1",
    "3",
    "7",
    "64",
    "65535",
    "100000",
    "2147483647",
    "4294967296",
    "1099511627775",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "1e400",
    "-0.0",
    "nan",
    "0x",
    "0xFF",
    "0x7FC00000",
    "\"",
    "\"0x",
    "<",
    ">",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "->",
    "?",
    "x",
    "*",
    "=",
    "//",
    "tensor<f32>",
    "tensor<0xi32>",
    "tensor<?xf32>",
    "tensor<1000000x1000000xf32>",
    "tensor<4xi1>",
    "tensor<2xcomplex<f32>>",
    "tensor<3xf8E4M3FN>",
    "tensor<2xi4>",
    "tuple<>",
    "tuple<tensor<f32>>",
    "f32",
    "i1",
    "i4",
    "ui64",
    "bf16",
    "f8E5M2",
    "dense<>",
    "dense<0>",
    "dense<\"0x00\">",
    "#a",
    "^bb0",
    "%0",
    "%0#1",
    "%arg0",
    "@f",
    "@main",
    "\u{e9}",
    "\0",
    "\\",
    "stablehlo.add",
    "stablehlo.while",
    "stablehlo.reduce",
    "stablehlo.sort",
    "stablehlo.scatter",
    "stablehlo.gather",
    "stablehlo.fft",
    "stablehlo.constant",
    "stablehlo.composite",
    "stablehlo.custom_call",
    "stablehlo.return",
    "func.func",
    "call",
    "return",
    "module",
    "array<i64: 9>",
    "array<i64>",
    "loc(",
    "loc(unknown)",
    "init:",
    "applies",
    "across",
    "dimensions",
    "true",
    "false",
    "unit",
];

/// How many of [`STRANGE`], from the first, are numbers.
pub const NUMBERS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_whole_text() {
        let text = "%0 = add %a, %b : tensor<2xf32>";
        assert_eq!(tokens(text.as_bytes()).concat(), text.as_bytes());
        assert_eq!(tokens(text.as_bytes())[..3], [&b"%0"[..], b" ", b"="]);
    }

    #[test]
    fn numbers_come_first() {
        let (numbers, others) = STRANGE.split_at(NUMBERS);
        assert!(numbers.iter().all(|n| n.parse::<f64>().is_ok()));
        assert!(others.iter().all(|n| *n == "nan" || n.parse::<f64>().is_err()));
    }
}
