//! How types and values of `common_types` and the ids of `common_base` stand in catalog records: as their protobuf bytes, so that
//! there is one encoding of each in the product. Used through `#[serde(with = …)]`.

/// serde for [`common_types::LogicalType`].
pub mod logical_type {
    use common_types::{LogicalType, wire};
    use proto_messages::{Message, types as pb};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use serde_bytes::ByteBuf;

    /// As protobuf bytes.
    pub fn serialize<S: Serializer>(ty: &LogicalType, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&wire::type_to_proto(ty).encode_to_vec())
    }

    /// From protobuf bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<LogicalType, D::Error> {
        let bytes = ByteBuf::deserialize(d)?;
        let message = pb::LogicalType::decode(bytes.as_slice()).map_err(D::Error::custom)?;
        wire::type_from_proto(&message).map_err(D::Error::custom)
    }
}

/// serde for [`common_types::Scalar`].
pub mod scalar {
    use common_types::{Scalar, wire};
    use proto_messages::{Message, types as pb};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use serde_bytes::ByteBuf;

    pub(super) fn to_bytes(value: &Scalar) -> Vec<u8> {
        wire::scalar_to_proto(value, &value.ty()).encode_to_vec()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Scalar, String> {
        let message = pb::Scalar::decode(bytes).map_err(|e| e.to_string())?;
        wire::scalar_from_proto(&message).map_err(|e| e.to_string())
    }

    /// As protobuf bytes.
    pub fn serialize<S: Serializer>(value: &Scalar, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&to_bytes(value))
    }

    /// From protobuf bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Scalar, D::Error> {
        from_bytes(&ByteBuf::deserialize(d)?).map_err(D::Error::custom)
    }
}

/// serde for lists of scalars.
pub mod scalars {
    use common_types::Scalar;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_bytes::ByteBuf;

    use super::scalar;

    /// Each as protobuf bytes.
    pub fn serialize<S: Serializer>(values: &[Scalar], s: S) -> Result<S::Ok, S::Error> {
        values.iter().map(|v| ByteBuf::from(scalar::to_bytes(v))).collect::<Vec<_>>().serialize(s)
    }

    /// Each from protobuf bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Scalar>, D::Error> {
        Vec::<ByteBuf>::deserialize(d)?.iter().map(|b| scalar::from_bytes(b).map_err(D::Error::custom)).collect()
    }
}

/// serde for lists of tuples of scalars.
pub mod tuples {
    use common_types::Scalar;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_bytes::ByteBuf;

    use super::scalar;

    /// Each value as protobuf bytes.
    pub fn serialize<S: Serializer>(tuples: &[Vec<Scalar>], s: S) -> Result<S::Ok, S::Error> {
        let bytes = |t: &Vec<Scalar>| t.iter().map(|v| ByteBuf::from(scalar::to_bytes(v))).collect::<Vec<_>>();
        tuples.iter().map(bytes).collect::<Vec<_>>().serialize(s)
    }

    /// Each value from protobuf bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Vec<Scalar>>, D::Error> {
        let tuples = Vec::<Vec<ByteBuf>>::deserialize(d)?;
        let tuple = |t: &Vec<ByteBuf>| t.iter().map(|b| scalar::from_bytes(b).map_err(D::Error::custom)).collect();
        tuples.iter().map(tuple).collect()
    }
}
