// test import
// A custom call without a handler.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.custom_call @mine(%x) : (tensor<2xi32>) -> tensor<2xi32>  // error: @mine
  return
}
