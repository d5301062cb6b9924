//! Lists of numbers in few bytes: LEB128 varints of the distances from one to the next.

/// Sorted numbers, such as the ids of a passport's tags.
pub(super) fn write_sorted(numbers: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() * 2);
    let mut last = 0;
    for number in numbers {
        write(&mut bytes, u64::from(number - last));
        last = *number;
    }
    bytes
}

/// None if the bytes are no such list.
pub(super) fn read_sorted(bytes: &[u8]) -> Option<Vec<u32>> {
    let mut numbers = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut last = 0_u32;
    while !rest.is_empty() {
        last = last.checked_add(u32::try_from(read(&mut rest)?).ok()?)?;
        numbers.push(last);
    }
    Some(numbers)
}

/// Numbers in any order, such as the seqs of a reservation's passports.
pub(super) fn write_any(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = 0_u64;
    for number in numbers {
        let distance = number.wrapping_sub(last) as i64;
        write(&mut bytes, (distance << 1 ^ distance >> 63) as u64);
        last = number;
    }
    bytes
}

/// None if the bytes are no such list.
pub(super) fn read_any(bytes: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut rest = bytes;
    let mut last = 0_u64;
    while !rest.is_empty() {
        let zigzag = read(&mut rest)?;
        last = last.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg());
        numbers.push(last);
    }
    Some(numbers)
}

fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn lists_are_read_as_they_are_written(sorted in btree_set(any::<u32>(), 0..20), any_order in prop::collection::vec(any::<u64>(), 0..20)) {
            let sorted: Vec<u32> = sorted.into_iter().collect();
            prop_assert_eq!(read_sorted(&write_sorted(&sorted)), Some(sorted));
            prop_assert_eq!(read_any(&write_any(any_order.iter().copied())), Some(any_order));
        }
    }

    #[test]
    fn neighbours_take_a_byte_each() {
        assert_eq!(write_sorted(&[1, 2, 3]), [1, 1, 1]);
        assert_eq!(write_any([5, 6, 4]).len(), 3);
    }

    #[test]
    fn a_cut_list_is_refused() {
        assert_eq!(read_sorted(&[0x80]), None);
        assert_eq!(read_any(&[0x80]), None);
        assert_eq!(read_sorted(&[0xff; 11]), None);
    }
}
