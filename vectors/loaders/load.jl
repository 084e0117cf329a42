# SPDX-License-Identifier: 0BSD
# Reads a golden case with the package JSON: julia load.jl CASE.safetensors [ANSWER]
import JSON

"The metadata, and the tensors by name, as Float64. Julia has the dimensions the other way round."
function load(path)
    bytes = read(path)
    size = Int(ltoh(reinterpret(UInt64, bytes[1:8])[1]))
    header = JSON.parse(String(bytes[9:8+size]))
    about = pop!(header, "__metadata__")
    tensors = Dict{String,Array{Float64}}()
    for (name, t) in header
        begins, ends = t["data_offsets"]
        tensors[name] = reshape(numbers(t["dtype"], bytes[9+size+begins:8+size+ends]),
                                Int.(reverse(t["shape"]))...)
    end
    about, tensors
end

function numbers(type, bytes)
    type == "F64" && return Vector(ltoh.(reinterpret(Float64, bytes)))
    type == "F32" && return Float64.(ltoh.(reinterpret(Float32, bytes)))
    type == "F16" && return Float64.(ltoh.(reinterpret(Float16, bytes)))
    half = ltoh.(reinterpret(UInt16, bytes))  # BF16
    Float64.(reinterpret(Float32, UInt32.(half) .<< 16))
end

about, tensors = load(ARGS[1])
answer = length(ARGS) > 1 ? ARGS[2] : "o"
truth, sigma = tensors[answer], tensors[answer*".sigma"]
yours = tensors[answer*"."*split(about["case"], "-")[end]]  # your kernel's answer goes here

error = abs.(yours .- truth)
replace!(error, NaN => 0.0)  # where there is no truth
z = ifelse.(error .> 0, error ./ sigma, 0.0)
replace!(z, NaN => 0.0)  # where there is no sigma
println("$answer: $(length(truth)) numbers; largest error $(maximum(error)), $(maximum(z)) sigma")
