//! Result types of the arithmetic operators, for operands as they come: the kernels align scales and widths themselves.

use common_base::Result;
use common_types::{
    LogicalType as T,
    coercion::{ArithmeticOp, arithmetic_type},
};

pub use common_types::coercion::division_scale as quotient_scale;

fn result(op: ArithmeticOp, args: &[T]) -> Result<T> {
    Ok(arithmetic_type(op, &args[0], &args[1])?.result)
}

/// `a + b`, `a - b`.
pub fn additive(args: &[T]) -> Result<T> {
    result(ArithmeticOp::Add, args)
}

/// `a * b`.
pub fn product(args: &[T]) -> Result<T> {
    result(ArithmeticOp::Multiply, args)
}

/// `a / b`.
pub fn quotient(args: &[T]) -> Result<T> {
    result(ArithmeticOp::Divide, args)
}

/// `a % b`.
pub fn remainder(args: &[T]) -> Result<T> {
    result(ArithmeticOp::Mod, args)
}

/// `a DIV b`.
pub fn integer_quotient(args: &[T]) -> Result<T> {
    result(ArithmeticOp::IntDivide, args)
}

/// `a & b`, `a | b`, `a ^ b`.
pub fn bitwise(args: &[T]) -> Result<T> {
    result(ArithmeticOp::BitAnd, args)
}
