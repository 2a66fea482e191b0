// test import
// Pretty and generic forms, broadcasts by hand and by CHLO, names of arguments.
func.func public @main(%x: tensor<4x3xf32>, %b: tensor<3xf32>) -> (tensor<4x3xf32> {jax.result_info = "y"}) {
  %0 = stablehlo.broadcast_in_dim %b, dims = [1] : (tensor<3xf32>) -> tensor<4x3xf32>
  %1 = "stablehlo.add"(%x, %0) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %2 = chlo.broadcast_maximum %1, %b : (tensor<4x3xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  return %2 : tensor<4x3xf32>
}

// func @main(%a0: f32[4, 3], %a1: f32[3]) -> (r0: f32[4, 3]) {
//   %0 = broadcast_in_dim %a1, dims = [1] : f32[4, 3]
//   %1 = add %a0, %0 : f32[4, 3]
//   %2 = broadcast_in_dim %a1, dims = [1] : f32[4, 3]
//   %3 = maximum %1, %2 : f32[4, 3]
//   return %3
// }
