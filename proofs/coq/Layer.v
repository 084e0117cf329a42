(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Layer.v - the multi-head layer.
 *
 * States    Y = [O_1 | .. | O_n] WO with any form of a head; forms that agree on heads agree on the
 *           layer, so Theorems 1 to 3 hold for the layer; the layer is causal. Also standard
 *           attention, which Parameters.v compares it with.
 * Equations section 2.5, appendix C. C file: ref/layer.c.
 * Shapes    X, Y L x dm; the six projections dm x (n d), head h's columns h d .. (h+1) d - 1; WO
 *           (n d) x dm, alike by rows.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Decode Castle.Blocks
  Castle.OnlineSoftmax Castle.Blockwise.

Inductive matrix_name := WQU | WKU | WVU | WQC | WKC | WVC | WO.

Section Layer.

Context {K : ring}.
Variables (n dm : nat).       (* heads, model dimension *)
Variable c : operator K.      (* of every head *)
Let d := dim c.

Definition weights := matrix_name -> nat -> nat -> K.

(* Head h's columns of X W *)
Definition projected (X : nat -> nat -> K) (W : nat -> nat -> K) (h : nat) : nat -> nat -> K :=
  fun t k => \sum_(a < dm) X t a * W a (h * d + k)%nat.

Definition head_of (w : weights) (X : nat -> nat -> K) (h : nat) : inputs K :=
  Inputs (projected X (w WQU) h) (projected X (w WKU) h) (projected X (w WVU) h)
         (projected X (w WQC) h) (projected X (w WKC) h) (projected X (w WVC) h).

(* A form of one head: from its inputs to its answers O, L x d *)
Definition form := inputs K -> nat -> nat -> K.

Definition concatenated (f : form) (w : weights) (X : nat -> nat -> K) : nat -> nat -> K :=
  fun t i => f (head_of w X (i / d)) t (i mod d).

Definition layer (f : form) (w : weights) (X : nat -> nat -> K) : nat -> nat -> K :=
  fun t b => \sum_(i < n * d) concatenated f w X t i * w WO i b.

(* Standard attention, for comparison: a head that reads QC, KC and VC only. *)
Definition standard_output (x : inputs K) (t k : nat) : K :=
  \sum_(s < S t) weight c (causal_score c x t s)
                 * inverse c (\sum_(r < S t) weight c (causal_score c x t r)) * VC x s k.

(* Forms that agree on tokens before L agree on the layer. *)
Theorem layer_ext (f g : form) w X t b :
  (forall x k, (k < d)%nat -> f x t k = g x t k) -> layer f w X t b = layer g w X t b.
Proof.
  intros H. apply sum_ext. intros i Hi. unfold concatenated. rewrite H; [reflexivity|].
  apply Nat.mod_upper_bound. lia.
Qed.

Corollary layer_parallel_is_sequential L w X t b :
  (t < L)%nat -> layer (fun x => parallel_output c x L) w X t b = layer (output c) w X t b.
Proof. intros Ht. apply layer_ext. intros x k _. now apply theorem1. Qed.

Corollary layer_decode_is_sequential w X t b :
  ahead (allowed c) -> layer (decode_output c) w X t b = layer (output c) w X t b.
Proof. intros H. apply layer_ext. intros x k _. now apply decode_is_sequential. Qed.

Corollary layer_blockwise_is_sequential L B meets reference w X t b :
  (1 <= B)%nat -> ahead (allowed c) -> meets_is_sound L B (allowed c) meets ->
  rescalable (weight c) (inverse c) -> (t < L)%nat ->
  layer (fun x => blockwise_output c x L B meets reference) w X t b = layer (output c) w X t b.
Proof. intros. apply layer_ext. intros x k _. now apply blockwise_is_sequential. Qed.

Corollary layer_causality w X X' t b :
  (forall s a, (s <= t)%nat -> (a < dm)%nat -> X s a = X' s a) ->
  layer (output c) w X t b = layer (output c) w X' t b.
Proof.
  intros H. apply sum_ext. intros i Hi. unfold concatenated.
  rewrite (causality c t (head_of w X (i / d)) (head_of w X' (i / d))); [reflexivity| |].
  - intros s k Hs _. repeat split; apply sum_ext; intros a Ha; simpl; now rewrite H.
  - apply Nat.mod_upper_bound. lia.
Qed.

End Layer.
