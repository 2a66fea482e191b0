//! Reductions across the threads of a block.

use super::regs::{Class, Emitter, immediate};
use kiln_ir::DType;
use kiln_ir::op::Reducer;
use kiln_loops::Const;

impl Emitter<'_> {
    /// Sets an accumulator to the neutral element.
    pub fn identity(&mut self, acc: &str, op: Reducer, t: DType) {
        let neutral = Const::identity(op, t);
        if t == DType::Bool {
            self.line(&format!("setp.ne.u32 {acc}, {}, 0;", neutral.bits));
        } else {
            self.move_to(acc, Class::of(t), &immediate(&neutral));
        }
    }

    /// The fold of every thread's accumulator, in every thread. A truth value is folded as u32.
    pub fn fold_block(&mut self, op: Reducer, t: DType, acc: &str) -> String {
        if t == DType::Bool {
            let word = self.reg(Class::B32);
            self.line(&format!("selp.u32 {word}, 1, 0, {acc};"));
            let all = self.fold_words(op, DType::U32, &word);
            let p = self.reg(Class::Pred);
            self.line(&format!("setp.ne.u32 {p}, {all}, 0;"));
            return p;
        }
        self.fold_words(op, t, acc)
    }

    fn fold_words(&mut self, op: Reducer, t: DType, acc: &str) -> String {
        let class = Class::of(t);
        let mut value = acc.to_string();
        for distance in [16, 8, 4, 2, 1] {
            let other = self.shuffle(class, &value, distance);
            let next = self.reg(class);
            self.binary(&next, op.binary(), t, &value, &other);
            value = next;
        }
        let warps = self.plan.shape.threads / 32;
        if warps == 1 { value } else { self.fold_warps(op, t, &value, warps) }
    }

    /// The value of the lane whose number differs in one bit.
    fn shuffle(&mut self, class: Class, value: &str, distance: u32) -> String {
        let exchange = |a: &str, b: &str| format!("shfl.sync.bfly.b32 {b}, {a}, {distance}, 31, -1;");
        match class {
            Class::B32 | Class::F32 => {
                let other = self.reg(class);
                self.line(&exchange(value, &other));
                other
            }
            Class::B64 | Class::F64 => {
                let words: [String; 4] = std::array::from_fn(|_| self.reg(Class::B32));
                let other = self.reg(class);
                self.line(&format!("mov.b64 {{{}, {}}}, {value};", words[0], words[1]));
                self.line(&exchange(&words[0], &words[2]));
                self.line(&exchange(&words[1], &words[3]));
                self.line(&format!("mov.b64 {other}, {{{}, {}}};", words[2], words[3]));
                other
            }
            Class::Pred => unreachable!("truth values are folded as words"),
        }
    }

    /// Lane 0 of each warp leaves its value in shared memory; every thread folds all of them in the same order.
    fn fold_warps(&mut self, op: Reducer, t: DType, value: &str, warps: u32) -> String {
        let class = Class::of(t);
        let (lane, warp, p) = (self.reg(Class::B32), self.reg(Class::B32), self.reg(Class::Pred));
        let (base, slot) = (self.reg(Class::B64), self.reg(Class::B64));
        let tid = self.tid.clone();
        let ty = class.bits();
        self.line(&format!("and.b32 {lane}, {tid}, 31;"));
        self.line(&format!("shr.u32 {warp}, {tid}, 5;"));
        self.line(&format!("setp.eq.u32 {p}, {lane}, 0;"));
        self.line(&format!("mov.u64 {base}, partials;"));
        self.line(&format!("mad.wide.u32 {slot}, {warp}, 8, {base};"));
        // The slots may still be read from an earlier fold.
        self.line("bar.sync 0;");
        self.line(&format!("@{p} st.shared.{ty} [{slot}], {value};"));
        self.line("bar.sync 0;");
        let mut all = self.reg(class);
        self.line(&format!("ld.shared.{ty} {all}, [{base}];"));
        for w in 1..warps {
            let part = self.reg(class);
            self.line(&format!("ld.shared.{ty} {part}, [{base}+{}];", w * 8));
            let next = self.reg(class);
            self.binary(&next, op.binary(), t, &all, &part);
            all = next;
        }
        all
    }
}
