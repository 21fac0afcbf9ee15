#!/bin/sh
# Draws every figure of the book anew: trains what its pages compare and keeps one chart of each comparison.
#
#   docs/figures.sh                the whole book, minutes
#   docs/figures.sh momentum ...   only these figures
#
# SCHUSS is the command, else the one on the path; RUNS a folder to keep the runs and tables in, else they are deleted.
set -eu

schuss=${SCHUSS:-schuss}
figures=$(cd "$(dirname "$0")" && pwd)/src/figures
wanted=" $* "
runs=${RUNS:-$(mktemp -d)}
mkdir -p "$runs"
[ -n "${RUNS:-}" ] || trap 'rm -rf "$runs"' EXIT

small="--data digits:train=5000,test=2000 --model 784-100-10 --seed 1,2,3"
tiny="--data digits:train=5000,test=2000,size=14 --model 196-100-10 --seed 1,2,3"

# figure NAME CHART FLAGS...: compares, and keeps CHART as NAME.svg
figure() {
    name=$1 chart=$2
    shift 2
    case $wanted in *" $name "* | "  ") ;; *) return 0 ;; esac
    "$schuss" compare "$@" --out "$runs/$name" >"$runs/$name.txt"
    cp "$runs/$name/charts/$chart.svg" "$figures/$name.svg"
}

figure update-rules eval-loss-updates $small \
    --trial 'update=sample optimizer=sgd:lr=0.01' --trial 'update=batch:100 optimizer=sgd:lr=0.1' \
    --trial 'update=epoch optimizer=sgd:lr=0.1'
figure batch-sizes accuracy-updates $small --epochs 2 --eval-every 25 \
    --update sample --update batch:10 --update batch:16 --update batch:100 --update batch:1000 \
    --optimizer sgd:lr=0.05 --optimizer adam
figure momentum train-loss-epochs $small \
    --optimizer sgd:lr=0.1 --optimizer sgd:lr=0.1,momentum=0.9 --optimizer sgd:lr=0.1,momentum=0.9,nesterov=true \
    --optimizer sgd:lr=1
figure adaptive error-epochs $small \
    --optimizer adam --optimizer adamw --optimizer nadam --optimizer adamax --optimizer rmsprop:lr=0.001 \
    --optimizer adagrad --optimizer yogi
figure matrix error-epochs $tiny \
    --optimizer adamw --optimizer lion:lr=0.0003 --optimizer signum:lr=0.0003 --optimizer hidden@muon:lr=0.02/adamw \
    --optimizer shampoo:lr=0.01 --optimizer soap --optimizer k-fac
figure rate-free error-epochs $small \
    --optimizer adam --optimizer prodigy --optimizer d-adapt-adam --optimizer dog --optimizer dowg --optimizer momo \
    --optimizer polyak-sgd
figure averaging error-epochs $small --update batch:10 \
    --optimizer sgd:lr=0.2 --optimizer sgd:lr=0.2+ema:0.999 --optimizer sgd:lr=0.2+swa:start=2000 \
    --optimizer sgd:lr=0.2+lookahead --optimizer sam+sgd:lr=0.2 --optimizer schedule-free-sgd
figure solvers train-loss-seconds --data digits:train=2000,test=1000 --model 784-50-10 --seed 1,2,3 \
    --trial 'update=epoch optimizer=l-bfgs:line_search=strong-wolfe' --trial 'update=epoch optimizer=cg' \
    --trial 'update=epoch optimizer=cg:beta=hager-zhang' --trial 'update=epoch optimizer=gradient-descent' \
    --trial 'update=batch:100 optimizer=sgd:lr=0.1,momentum=0.9'
figure schedules train-loss-epochs $small --optimizer sgd:lr=0.1,momentum=0.9 \
    --schedule constant --schedule cosine --schedule warmup:50+cosine --schedule step:step_size=150,gamma=0.3 \
    --schedule one-cycle:max_lr=0.2 --schedule wsd
figure losses error-epochs $small --optimizer adam \
    --loss cross-entropy --loss cross-entropy:label_smoothing=0.1 --loss focal --loss bce --loss mse --loss multi-margin
figure activations train-loss-epochs --data digits:train=5000,test=2000 --seed 1,2,3 --optimizer sgd:lr=0.1 \
    --model linear:100,relu,linear:10 --model linear:100,leaky-relu,linear:10 --model linear:100,gelu,linear:10 \
    --model linear:100,silu,linear:10 --model linear:100,tanh,linear:10 --model linear:100,sigmoid,linear:10
figure layers error-epochs --data digits:train=5000,test=2000 --seed 1,2,3 --optimizer sgd:lr=0.1 \
    --model linear:100,relu,linear:10 --model linear:100,batch-norm,relu,linear:10 \
    --model linear:100,layer-norm,relu,linear:10 --model linear:100,relu,dropout:0.2,linear:10
figure inits train-loss-updates --data digits:train=5000,test=2000 --model 784-100-100-100-10 --seed 1,2,3 --epochs 5 \
    --init pytorch --init xavier-uniform --init kaiming-normal --init orthogonal --init zeros
figure autoencoders eval-loss-epochs --data digits:train=5000,test=2000 --seed 1,2,3 --targets input --loss mse \
    --optimizer adam --model linear:64,relu,linear:8,linear:64,relu,linear:784,sigmoid \
    --model linear:64,relu,linear:32,linear:64,relu,linear:784,sigmoid

# Those of claims.md
figure saddle surface-saddle lecture-23 --data digits:train=2000,test=1000 --model 784-100-10 --epochs 5
figure thousand-epochs accuracy-epochs --data digits:train=5000,test=2000 --model 784-100-10 --epochs 1000 \
    --optimizer sgd:lr=0.0001
figure equal-updates accuracy-updates lecture-24-equal-updates --model 784-100-10
figure sample-rates error-epochs $small --epochs 5 --update sample \
    --optimizer sgd:lr=0.001 --optimizer sgd:lr=0.003 --optimizer sgd:lr=0.01 --optimizer sgd:lr=0.03 \
    --optimizer sgd:lr=0.1 --optimizer sgd:lr=0.3
figure orders error-epochs $small --epochs 20 --optimizer sgd:lr=0.1 \
    --order sequential --order fixed --order shuffled --order replacement
