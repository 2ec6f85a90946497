//! The wire format of Protocol Buffers, as far as ONNX needs it: a message is a list of numbered fields.

use core::iter;

use anyhow::{Result, anyhow};

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// An integer of variable length: 7 bits a byte, the lowest first.
    Varint(u64),
    /// A string, a message or packed numbers; or the 4 or 8 bytes of a fixed-size number.
    Bytes(&'a [u8]),
}

/// Splits a message into its fields. Lengths are checked against what is there; nothing is copied.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>)>> {
    iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let field = field(&mut bytes);
        if field.is_none() {
            bytes = &[];
        }
        Some(field.ok_or_else(|| anyhow!("it is no ONNX file, or damaged: a field cannot be read")))
    })
}

fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let key = varint(bytes)?;
    let len = match key & 7 {
        0 => return Some((key >> 3, Value::Varint(varint(bytes)?))),
        1 => 8,
        2 => usize::try_from(varint(bytes)?).ok()?,
        5 => 4,
        _ => return None,
    };
    let (value, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some((key >> 3, Value::Bytes(value)))
}

/// Takes an integer off the front.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// A message that is being written.
#[derive(Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Adds an integer.
    pub(super) fn int(mut self, number: u64, value: u64) -> Self {
        self.varint(number << 3);
        self.varint(value);
        self
    }

    /// Adds a 32-bit float.
    pub(super) fn float(mut self, number: u64, value: f32) -> Self {
        self.varint(number << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds bytes: a string, a message.
    pub(super) fn bytes(mut self, number: u64, value: impl AsRef<[u8]>) -> Self {
        self.varint(number << 3 | 2);
        self.varint(value.as_ref().len() as u64);
        self.0.extend(value.as_ref());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were_written() {
        let long = [7; 200];
        let message = Message::default().int(1, 300).bytes(2, long).float(9, 0.5).int(15, u64::MAX);
        let read: Result<Vec<_>> = fields(&message.0).collect();
        let half = 0.5f32.to_le_bytes();
        let expected = [
            (1, Value::Varint(300)),
            (2, Value::Bytes(&long)),
            (9, Value::Bytes(&half)),
            (15, Value::Varint(u64::MAX)),
        ];
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn a_damaged_message_ends_in_an_error() {
        let sound = Message::default().int(1, 300).bytes(2, b"abc").0;
        for len in 1..sound.len() {
            let read: Vec<_> = fields(&sound[..len]).collect();
            assert_eq!(read.last().unwrap().is_err(), len != 3, "{len}");
        }
        // A length near the end of the address space, a group, an integer of 11 bytes.
        for bytes in [&b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..], b"\x0b", &[0xff; 11]] {
            assert!(fields(bytes).all(|field| field.is_err()), "{bytes:?}");
        }
    }
}
