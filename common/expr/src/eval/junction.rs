//! Three-valued AND and OR: each further operand sees only the rows not decided yet, unless it is so cheap that selecting them
//! would cost more.

use common_base::Result;
use common_types::mask_to_indices;

use super::{frame::Frame, program::NodeId, tri::Tri};

pub(super) fn eval(frame: &Frame<'_>, items: &[NodeId], is_and: bool) -> Result<Tri> {
    let Some((first, rest)) = items.split_first() else {
        return Ok(Tri::masked(arrow::buffer::BooleanBuffer::collect_bool(frame.rows(), |_| is_and), None));
    };
    let mut truth = frame.truth(*first)?;
    for item in rest {
        let decided = if is_and { truth.is_false() } else { truth.yes.clone() };
        let open = frame.rows() - decided.count_set_bits();
        if open == 0 {
            break;
        }
        if open == frame.rows() || frame.cheap(*item) && open * 8 > frame.rows() {
            truth = truth.combine(&frame.truth(*item)?, is_and);
        } else {
            let rows = mask_to_indices(&!&decided, open);
            let part = frame.narrow(&rows).truth(*item)?;
            truth = truth.combine_at(&rows, &part, is_and);
        }
    }
    Ok(truth)
}
