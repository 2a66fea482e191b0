//! Control flow, composites, random bits.

use super::elementwise::names;
use super::emit::{Val, Writer, Written};
use super::names::identifier;
use super::types::{arrow, join, tensors};
use kiln_ir::op::RngAlgorithm;
use kiln_ir::{Func, Node, Op};

impl Writer<'_> {
    pub(super) fn while_loop(&mut self, node: &Node, x: &[Val], cond: &Func, body: &Func) -> Written<Vec<Val>> {
        let reserved = self.reserve(&node.types);
        let args: Vec<Val> = x.iter().map(|v| self.argument("iterArg", v.ty.clone())).collect();
        if x.is_empty() {
            let cond = self.region(&[], |w| w.body(cond, Vec::new()))?;
            let body = self.region(&[], |w| w.body(body, Vec::new()))?;
            return Ok(self.generic(reserved, "while", &[], "", &[cond, body]));
        }
        let state = join(args.iter().zip(x).map(|(a, v)| format!("{} = {}", a.name, v.name)));
        let types = tensors(x.iter().map(|v| &v.ty));
        let (cond, close) = self.indented(|w| w.body(cond, args.clone()))?;
        let (body, _) = self.indented(|w| w.body(body, args.clone()))?;
        let indent = &close[..close.len() - 1];
        let text = format!("stablehlo.while({state}) : {types}\n{indent}cond {{\n{cond}{close} do {{\n{body}{close}");
        Ok(self.define(reserved, &text))
    }

    /// `if` and `case`: branches use what is outside directly.
    pub(super) fn branches(&mut self, node: &Node, x: &[Val], op: &str, branches: &[&Func]) -> Written<Vec<Val>> {
        let reserved = self.reserve(&node.types);
        let regions =
            branches.iter().map(|f| self.region(&[], |w| w.body(f, x[1..].to_vec()))).collect::<Written<Vec<_>>>()?;
        Ok(self.generic(reserved, op, &[&x[0]], "", &regions))
    }

    pub(super) fn random_bits(&mut self, node: &Node, state: &Val, algorithm: RngAlgorithm) -> Vec<Val> {
        let algorithm = match algorithm {
            RngAlgorithm::ThreeFry => "THREE_FRY",
            RngAlgorithm::Philox => "PHILOX",
        };
        // Targets know bits without a sign only.
        let bits = &node.types[1];
        let unsigned = bits.dtype.to_unsigned().unwrap_or(bits.dtype);
        let types = [node.types[0].clone(), bits.with_dtype(unsigned)];
        let reserved = self.reserve(&types);
        let text = format!(
            "stablehlo.rng_bit_generator {}, algorithm = {algorithm} : {}",
            state.name,
            arrow(&[state], &types)
        );
        let mut results = self.define(reserved, &text);
        if unsigned != bits.dtype {
            let types = arrow(&[&results[1]], std::slice::from_ref(bits));
            results[1] = self.step(bits, &format!("stablehlo.bitcast_convert {} : {types}", results[1].name));
        }
        results
    }

    /// A call of a private function that holds the body. StableHLO wants a name with a namespace. What gives its operands back
    /// (to stop a gradient) is nothing once gradients are taken.
    pub(super) fn composite(&mut self, node: &Node, x: &[Val], name: &str, body: &Func) -> Written<Vec<Val>> {
        let parameter = |o: &kiln_ir::Output| match body.node(o.value.node).op {
            Op::Parameter(i) => x.get(i as usize).cloned(),
            _ => None,
        };
        if let Some(forwarded) = body.outputs.iter().map(parameter).collect() {
            return Ok(forwarded);
        }
        let name = identifier(name);
        let name = if name.trim_matches('.').contains('.') { name } else { format!("kiln.{}", name.trim_matches('.')) };
        let function = self.private_function(body)?;
        let reserved = self.reserve(&node.types);
        let types = arrow(&x.iter().collect::<Vec<_>>(), &node.types);
        let operands = if x.is_empty() { String::new() } else { format!(" {}", names(x)) };
        let text = format!("stablehlo.composite \"{name}\"{operands} {{decomposition = @{function}}} : {types}");
        Ok(self.define(reserved, &text))
    }
}
