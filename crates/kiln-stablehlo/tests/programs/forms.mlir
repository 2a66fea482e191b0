// Ways to write things.
"builtin.module"() <{sym_name = "generic"}> ({
  "func.func"() <{function_type = () -> tensor<2xf32>, sym_name = "main", sym_visibility = "public"}> ({
    %0 = "stablehlo.constant"() <{value = dense<"0x0000803F00000040"> : tensor<2xf32>}> : () -> tensor<2xf32>
    %1 = "stablehlo.add"(%0, %0) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %2 = "stablehlo.constant"() {value = dense<[2.0, 4.0e0]> : tensor<2xf32>} : () -> tensor<2xf32>
    "stablehlo.custom_call"(%1, %2) <{call_target_name = "check.expect_close", has_side_effect = true}> : (tensor<2xf32>, tensor<2xf32>) -> ()
    "func.return"(%1) : (tensor<2xf32>) -> ()
  }) : () -> ()
}) {mhlo.num_replicas = 1 : i32} : () -> ()
// -----
!pair = tensor<2xi32>
#three = 3 : i64
module {
  func.func @main() attributes {note = #three, other = affine_map<(d0) -> (d0)>} {
    %x = stablehlo.constant dense<[-1, 0x7FFFFFFF]> : !pair
    %y = stablehlo.constant dense<1> : !pair
    %r = stablehlo.add %x, %y : !pair
    check.expect_eq_const %r, dense<[0, -2147483648]> : tensor<2xi32>
    %c = stablehlo.compare LT, %x, %y, SIGNED : (!pair, !pair) -> tensor<2xi1>
    check.expect_eq_const %c, dense<"0x01"> : tensor<2xi1>
    %s = stablehlo.slice %x [1:2] : (tensor<2xi32>) -> tensor<1xi32>
    check.expect_eq_const %s, dense<2147483647> : tensor<1xi32>
    func.return
  }
}
// -----
func.func @almost() {
  %x = stablehlo.constant dense<5.0> : tensor<f64>
  check.expect_almost_eq_const %x, dense<5.1> : tensor<f64> {tolerance = 0.2 : f64}
  %i = stablehlo.constant dense<[0x7F800000, 0xFF800000, 0x7FC00000]> : tensor<3xf32>
  check.expect_almost_eq_const %i, dense<[0x7F800000, 0xFF800000, 0x7FC00001]> : tensor<3xf32>
  return
}
// -----
func.func @dot_forms() {
  %a = stablehlo.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = stablehlo.dot_general %a, %a, contracting_dims = [1] x [0], precision = [DEFAULT, HIGHEST], algorithm = <lhs_precision_type = f32, rhs_precision_type = f32, accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, num_primitive_operations = 1, allow_imprecise_accumulation = false> : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  check.expect_almost_eq_const %b, dense<[[7.0, 10.0], [15.0, 22.0]]> : tensor<2x2xf32>
  %c = "stablehlo.dot_general"(%a, %a) <{dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1]>, precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]}> : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2xf32>
  check.expect_almost_eq_const %c, dense<[5.0, 25.0]> : tensor<2xf32>
  return
}
