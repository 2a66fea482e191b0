//! Files made by hand that no writer makes.

use super::read_bytecode;

fn varint(n: usize) -> Vec<u8> {
    let n = n as u64;
    let bytes = (1..=8).find(|b| n < 1 << (7 * b)).expect("small numbers");
    ((n << bytes) | 1 << (bytes - 1)).to_le_bytes()[..bytes].to_vec()
}

fn numbers(list: &[usize]) -> Vec<u8> {
    list.iter().flat_map(|&n| varint(n)).collect()
}

fn section(kind: u8, data: &[u8]) -> Vec<u8> {
    [&[kind][..], &varint(data.len()), data].concat()
}

/// A file of the newest format with these attributes of the builtin dialect and these operations. Strings: 0 `builtin`,
/// 1 `module`, 2 `vhlo`, 3 `if_v1`; operations: 0 `builtin.module`, 1 `vhlo.if_v1`.
fn file(attrs: &[Vec<u8>], ir: &[u8]) -> Vec<u8> {
    let names = ["builtin", "module", "vhlo", "if_v1"];
    let sizes: Vec<usize> = names.iter().rev().map(|n| n.len() + 1).collect();
    let text: Vec<u8> = names.iter().flat_map(|n| [n.as_bytes(), &[0]].concat()).collect();
    let strings = [varint(names.len()), numbers(&sizes), text].concat();
    // Two dialects without versions, two names, one of each; all known to the writer.
    let dialects = numbers(&[2, 0, 2 << 1, 2, 0, 1, 1 << 1 | 1, 1, 1, 3 << 1 | 1]);
    let sizes: Vec<usize> = attrs.iter().map(|a| a.len() << 1 | 1).collect();
    let offsets = [numbers(&[attrs.len(), 0, 0, attrs.len()]), numbers(&sizes)].concat();
    let sections = [
        section(0, &strings),
        section(1, &dialects),
        section(2, &attrs.concat()),
        section(3, &offsets),
        section(4, ir),
        section(8, &numbers(&[0])),
    ];
    [b"ML\xEFR\x0Dhand\0".to_vec(), sections.concat()].concat()
}

/// A block of one operation: a module with this mask and what follows its location, attribute 0.
fn module(mask: u8, rest: &[u8]) -> Vec<u8> {
    [numbers(&[1 << 1, 0]), vec![mask], varint(0), rest.to_vec()].concat()
}

/// The attribute that stands for no location.
fn nowhere() -> Vec<u8> {
    varint(15)
}

fn refused(bytes: &[u8], words: &str) {
    let e = read_bytecode(bytes, "hand").expect_err("no program").to_string();
    assert!(e.starts_with("hand:byte ") && e.contains(words), "{e}");
}

#[test]
fn an_empty_module_is_read() {
    let read = read_bytecode(&file(&[nowhere()], &module(0, &[])), "hand").expect("a module");
    assert!(read.functions.is_empty());
}

#[test]
fn an_attribute_inside_of_itself_ends() {
    let list = numbers(&[0, 1, 1]);
    refused(&file(&[nowhere(), list], &module(1, &varint(1))), "nested more than");
}

#[test]
fn attributes_that_double_are_bounded() {
    let mut attrs = vec![nowhere()];
    attrs.extend((0..50).map(|i| numbers(&[0, 2, i + 2, i + 2])));
    attrs.push(numbers(&[7]));
    refused(&file(&attrs, &module(1, &varint(1))), "out of all proportion");
}

#[test]
fn a_location_inside_of_itself_is_unknown() {
    // A name for itself, and two that call each other.
    for attrs in [vec![numbers(&[14, 0, 0])], vec![numbers(&[10, 1, 1]), numbers(&[12, 2, 0, 1])]] {
        read_bytecode(&file(&attrs, &module(0, &[])), "hand").expect("a module");
    }
}

#[test]
fn regions_are_bounded() {
    let with_regions = |rest: &[u8]| file(&[nowhere()], &module(16, rest));
    // One region, not isolated: of two blocks; with more values than bytes; more regions than bytes.
    refused(&with_regions(&numbers(&[1 << 1, 2])), "several blocks");
    refused(&with_regions(&numbers(&[1 << 1, 1, 1 << 30])), "are announced in");
    refused(&with_regions(&numbers(&[1 << 40])), "regions are announced");
    // An `if` in the region of another, deeper and deeper.
    let head = [numbers(&[1 << 1, 1, 0, 1 << 1, 1]), vec![16], varint(0)].concat();
    let deep: Vec<u8> = std::iter::repeat_n(head, 300).flatten().collect();
    refused(&with_regions(&deep), "regions nested more than");
}

#[test]
fn values_are_those_of_the_region() {
    // An operation with an operand where there are no values.
    refused(&file(&[nowhere()], &module(4, &numbers(&[1, 0]))), "value 0 of 0");
}
