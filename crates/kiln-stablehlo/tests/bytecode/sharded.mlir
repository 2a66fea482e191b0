module @sharded attributes {mhlo.num_partitions = 4 : i32} {
  sdy.mesh @mesh = <["a"=2, "b"=2]> {stablehlo.mesh = {axes = [{name = "a", size = 2 : i64}]}} loc(unknown)
  func.func public @main(%x: tensor<2x2xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}, {}]>} loc("x")) -> (tensor<2x2xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"a"}, {"b"}]>}) {
    %0 = stablehlo.add %x, %x : tensor<2x2xf32>
    %1 = sdy.sharding_constraint %0 <@mesh, [{"a"}, {"b"}]> : tensor<2x2xf32>
    %2 = stablehlo.negate %1 : tensor<2x2xf32>
    return %2 : tensor<2x2xf32>
  }
}
