//! Copying a whole buffer inline.

use cranelift_codegen::ir::{BlockArg, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_frontend::FunctionBuilder;

use super::below;

/// Bytes copied per iteration of the loop.
const BLOCK: u64 = 64;
/// Copies up to this size are written out.
const WRITTEN_OUT: u64 = 256;

/// Copies `bytes` bytes; source and destination do not overlap.
pub(super) fn emit(b: &mut FunctionBuilder<'_>, from: Value, to: Value, bytes: u64) -> Result<(), String> {
    let length = i64::try_from(bytes).map_err(|_| "a copy is too large".to_owned())?;
    if bytes <= WRITTEN_OUT {
        written_out(b, from, to, bytes);
        return Ok(());
    }
    let whole = bytes / BLOCK * BLOCK;
    let (body, after) = (b.create_block(), b.create_block());
    let index = b.append_block_param(body, types::I64);
    let (zero, limit) = (b.ins().iconst(types::I64, 0), b.ins().iconst(types::I64, whole as i64));
    b.ins().jump(body, &[BlockArg::from(zero)]);
    b.switch_to_block(body);
    let (source, target) = (b.ins().iadd(from, index), b.ins().iadd(to, index));
    let parts: Vec<Value> = (0..4).map(|i| load(b, types::I8X16, source, 16 * i)).collect();
    for (i, part) in parts.into_iter().enumerate() {
        b.ins().store(flags(), part, target, 16 * i as i32);
    }
    let next = b.ins().iadd_imm_s(index, BLOCK as i64);
    let again = below(b, next, limit);
    b.ins().brif(again, body, &[BlockArg::from(next)], after, &[]);
    b.switch_to_block(after);
    if whole < bytes {
        // The last block again, shifted to end with the buffer.
        let start = length - BLOCK as i64;
        let (source, target) = (b.ins().iadd_imm_s(from, start), b.ins().iadd_imm_s(to, start));
        written_out(b, source, target, BLOCK);
    }
    Ok(())
}

fn written_out(b: &mut FunctionBuilder<'_>, from: Value, to: Value, bytes: u64) {
    let mut done = 0;
    for (size, ty) in [(16, types::I8X16), (8, types::I64), (4, types::I32), (2, types::I16), (1, types::I8)] {
        while bytes - done >= size {
            let part = load(b, ty, from, done as i32);
            b.ins().store(flags(), part, to, done as i32);
            done += size;
        }
    }
}

fn load(b: &mut FunctionBuilder<'_>, ty: Type, from: Value, offset: i32) -> Value {
    b.ins().load(ty, flags(), from, offset)
}

fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}
