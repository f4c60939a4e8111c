//! Messages of a file's metadata: the few forms of Protocol Buffers they need. The library that reads them keeps its own encoder to itself.

use super::runs::{varint, zigzag};

/// A message as bytes; fields are added by their numbers in `orc_proto.proto`.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u32, form: u32) {
        varint(((field << 3) | form).into(), &mut self.0);
    }

    /// A number or enumeration.
    pub fn number(mut self, field: u32, value: u64) -> Self {
        self.key(field, 0);
        varint(value.into(), &mut self.0);
        self
    }

    /// A number that may be negative.
    pub fn signed(self, field: u32, value: i64) -> Self {
        self.number(field, zigzag(value))
    }

    /// Bytes or text.
    pub fn bytes(mut self, field: u32, value: &[u8]) -> Self {
        self.key(field, 2);
        varint(value.len() as u128, &mut self.0);
        self.0.extend_from_slice(value);
        self
    }

    /// Several numbers as one field.
    pub fn numbers(self, field: u32, values: &[u32]) -> Self {
        let mut packed = Vec::with_capacity(values.len());
        values.iter().for_each(|v| varint((*v).into(), &mut packed));
        self.bytes(field, &packed)
    }

    /// A message within.
    pub fn message(self, field: u32, value: &Message) -> Self {
        self.bytes(field, &value.0)
    }

    /// Each of several messages as a field.
    pub fn messages(self, field: u32, values: &[Message]) -> Self {
        values.iter().fold(self, |all, value| all.message(field, value))
    }

    /// The encoded message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
