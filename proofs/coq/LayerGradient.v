(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * LayerGradient.v - the gradients of the multi-head layer are its derivative, over the reals.
 *
 * States    layer_gradient_is_derivative    along any differentiable curve of X and of all weights,
 *           the derivative of <dY, Y> is <dX, X'> + sum over the seven matrices of <dW, W'>; Y is
 *           the layer of Layer.v with heads as Definitions.v has them.
 * Equations dWO = O^T dY, dO = dY WO^T; per head and projection dW = X^T dQU, dX = sum of dQU W^T.
 * C file    ref/layer.c, layer_backward.
 *)
From Coq Require Import Reals Lra.
From Coquelicot Require Import Coquelicot.
Require Import Castle.Definitions Castle.Theorem1 Castle.Backward Castle.Layer Castle.RealFunctions
  Castle.Gradient.
Require Import Ring.

(* ---- the gradients, over any ring ------------------------------------------------------------ *)

Section Algebra.

Context {K : ring}.
Add Ring K_ring : (laws K).
Open Scope ring_scope.
Variables (n dm L : nat) (c : operator K) (gate_slope penalty_slope : K -> K).
Let d := dim c.

(* The projection that a matrix makes, among the six of a head *)
Definition part (m : matrix_name) (x : inputs K) : nat -> nat -> K :=
  match m with
  | WQU => QU x | WKU => KU x | WVU => VU x | WQC => QC x | WKC => KC x | WVC => VC x
  | WO => fun _ _ => 0
  end.

(* A sum over the six *)
Definition six (f : matrix_name -> K) : K := f WQU + f WKU + f WVU + f WQC + f WKC + f WVC.

Section Reverse.

Variables (w : weights (K := K)) (X dY : nat -> nat -> K).

Definition layer_dWO (i b : nat) : K :=
  \sum_(t < L) dY t b * concatenated dm c (output c) w X t i.
Definition layer_dO (t i : nat) : K := \sum_(b < dm) dY t b * w WO i b.

(* head h's six gradients *)
Definition head_gradients (h : nat) : inputs K :=
  backward c (head_of dm c w X h) L gate_slope penalty_slope
    (fun t k => layer_dO t (h * d + k)).

Definition layer_dW (m : matrix_name) (a i : nat) : K :=
  \sum_(t < L) part m (head_gradients (i / d)) t (i mod d) * X t a.
Definition layer_dX (t a : nat) : K :=
  \sum_(h < n) six (fun m => \sum_(k < d) part m (head_gradients h) t k * w m a (h * d + k)%nat).

End Reverse.

(* ---- and what a change of X and the weights does, by the product rule ---- *)

Variables (w w' : weights (K := K)) (X X' dY : nat -> nat -> K).

Definition projected' (m : matrix_name) (h t k : nat) : K :=
  \sum_(a < dm) (X' t a * w m a (h * d + k)%nat + X t a * w' m a (h * d + k)%nat).
Definition head' (h : nat) : inputs K :=
  Inputs (projected' WQU h) (projected' WKU h) (projected' WVU h)
         (projected' WQC h) (projected' WKC h) (projected' WVC h).
Definition head_output' (h : nat) : nat -> nat -> K :=
  O' c (head_of dm c w X h) L gate_slope penalty_slope (head' h).
Definition layer' (t b : nat) : K :=
  \sum_(i < n * d) (head_output' (i / d) t (i mod d) * w WO i b +
                    concatenated dm c (output c) w X t i * w' WO i b).

Lemma sum_heads (f : nat -> K) :
  sum (n * d) f = \sum_(h < n) \sum_(k < d) f (h * d + k)%nat.
Proof.
  clear. induction n as [|m IH]; [reflexivity|].
  change (S m * d)%nat with (d + m * d)%nat. rewrite Nat.add_comm, sum_cat, IH. reflexivity.
Qed.

Lemma head_of_column h k : (k < d)%nat -> ((h * d + k) / d = h /\ (h * d + k) mod d = k)%nat.
Proof.
  intros Hk. rewrite Nat.add_comm, Nat.div_add, Nat.mod_add, Nat.div_small, Nat.mod_small; lia.
Qed.

Lemma pairing_sum_left m p q (A : nat -> nat -> nat -> K) (B : nat -> nat -> K) :
  pairing p q (fun i j => \sum_(h < m) A h i j) B = \sum_(h < m) pairing p q (A h) B.
Proof.
  symmetry. unfold pairing. rewrite sum_exchange. apply sum_ext. intros i _.
  rewrite sum_exchange. apply sum_ext. intros j _. apply sum_mul_r.
Qed.

Lemma pairing_six p q (A : matrix_name -> nat -> nat -> K) (B : nat -> nat -> K) :
  pairing p q (fun i j => six (fun m => A m i j)) B = six (fun m => pairing p q (A m) B).
Proof.
  unfold six, pairing. rewrite <- !sum_add. apply sum_ext. intros i _. rewrite <- !sum_add.
  apply sum_ext. intros j _. ring.
Qed.

Lemma six_ext (f g : matrix_name -> K) : (forall m, m <> WO -> f m = g m) -> six f = six g.
Proof. intros H. unfold six. now rewrite !H by discriminate. Qed.

Lemma six_sum m (f : nat -> matrix_name -> K) :
  \sum_(h < m) six (f h) = six (fun name => \sum_(h < m) f h name).
Proof. unfold six. now rewrite !sum_add. Qed.

Theorem layer_reverse_is_forward :
  pairing L dm dY layer' =
  pairing L dm (layer_dX w X dY) X' +
  six (fun m => pairing dm (n * d) (layer_dW w X dY m) (w' m)) +
  pairing (n * d) dm (layer_dWO w X dY) (w' WO).
Proof.
  (* Y = O WO *)
  transitivity (pairing L (n * d) (layer_dO w dY) (fun t i => head_output' (i / d) t (i mod d)) +
                pairing (n * d) dm (layer_dWO w X dY) (w' WO)).
  { unfold layer'.
    rewrite (pairing_product L dm (n * d) dY (concatenated dm c (output c) w X)
      (fun t i => head_output' (i / d) t (i mod d)) (fun b i => w WO i b) (fun b i => w' WO i b)).
    f_equal. apply pairing_transpose. }
  f_equal.
  (* head by head *)
  transitivity (\sum_(h < n) inputs_pairing L d (head_gradients w X dY h) (head' h)).
  { unfold pairing. rewrite (sum_ext L _ (fun t => \sum_(h < n) \sum_(k < d)
      layer_dO w dY t (h * d + k) * head_output' h t k)).
    - rewrite sum_exchange. apply sum_ext. intros h _.
      unfold head_gradients, d. rewrite <- reverse_is_forward. reflexivity.
    - intros t _. rewrite sum_heads. apply sum_ext. intros h _. apply sum_ext. intros k Hk.
      destruct (head_of_column h k Hk) as [-> ->]. reflexivity. }
  (* projection by projection *)
  rewrite (sum_ext n _ (fun h => six (fun m =>
    pairing L dm (fun t a => \sum_(k < d) part m (head_gradients w X dY h) t k * w m a (h * d +
      k)%nat) X' +
    pairing d dm (fun k a => \sum_(t < L) part m (head_gradients w X dY h) t k * X t a)
      (fun k a => w' m a (h * d + k)%nat)))).
  2: { intros h _. transitivity (six (fun m =>
         pairing L d (part m (head_gradients w X dY h)) (projected' m h))); [reflexivity|].
       apply six_ext. intros m _. unfold projected'. apply pairing_product. }
  rewrite six_sum. unfold layer_dX.
  rewrite (pairing_sum_left n L dm (fun h t a => six (fun m =>
    \sum_(k < d) part m (head_gradients w X dY h) t k * w m a (h * d + k)%nat))).
  rewrite (sum_ext n _ (fun h => six (fun m => pairing L dm (fun t a =>
    \sum_(k < d) part m (head_gradients w X dY h) t k * w m a (h * d + k)%nat) X')))
    by (intros h _; apply pairing_six).
  rewrite six_sum.
  assert (HW : forall m, pairing dm (n * d) (layer_dW w X dY m) (w' m) =
    \sum_(h < n) pairing d dm (fun k a => \sum_(t < L) part m (head_gradients w X dY h) t k * X t a)
      (fun k a => w' m a (h * d + k)%nat)).
  { intros m. rewrite pairing_transpose. unfold pairing at 1. rewrite sum_heads.
    apply sum_ext. intros h _. apply sum_ext. intros k Hk. unfold layer_dW.
    destruct (head_of_column h k Hk) as [-> ->]. reflexivity. }
  unfold six. rewrite !HW, !sum_add. ring.
Qed.

End Algebra.

(* ---- over the reals -------------------------------------------------------------------------- *)

Section Derivative.

Open Scope R_scope.
Variables (n dm d : nat) (scale : R) (mask : nat -> nat -> bool) (L : nat).
Let c := real_castle d scale mask.
Variables (X : R -> nat -> nat -> reals) (W : R -> weights (K := reals)) (h : R).
Variables (X' : nat -> nat -> reals) (W' : weights (K := reals)).

(* X and the weights move through X h, W h with velocities X', W'. *)
Hypothesis X_moves : forall t a, (t < L)%nat -> (a < dm)%nat ->
  derives (fun u => X u t a) h (X' t a).
Hypothesis W_moves : forall m i j, derives (fun u => W u m i j) h (W' m i j).

Lemma head_moves i :
  moves L d (fun u => head_of dm c (W u) (X u) i) h (head' dm c (W h) W' (X h) X' i).
Proof.
  assert (H : forall m t k, (t < L)%nat ->
    derives (fun u => projected dm c (X u) (W u m) i t k) h
            (projected' dm c (W h) W' (X h) X' m i t k)).
  { intros m t k Ht.
    apply (derives_sum dm (fun u a => (X u t a : R) * W u m a (i * d + k)%nat)
      (fun a => (X' t a : R) * W h m a (i * d + k)%nat + (X h t a : R) * W' m a (i * d + k)%nat)).
    intros a Ha. apply derives_mult; [now apply X_moves|apply W_moves]. }
  intros t k Ht Hk. do 5 (split; [now apply H|]). now apply H.
Qed.

(* The layer's gradients are its derivative. *)
Theorem layer_gradient_is_derivative (dY : nat -> nat -> reals) :
  let dX := layer_dX n dm L c gate_slope silu_slope (W h) (X h) dY in
  let dW := layer_dW dm L c gate_slope silu_slope (W h) (X h) dY in
  let dWO := layer_dWO dm L c (W h) (X h) dY in
  is_derive (fun u => pairing L dm dY (layer n dm c (output c) (W u) (X u)) : R) h
    ((pairing L dm dX X' : R) + six (fun m => pairing dm (n * d) (dW m) (W' m))
     + pairing (n * d) dm dWO (W' WO)).
Proof.
  intros dX dW dWO.
  change (derives (fun u => pairing L dm dY (layer n dm c (output c) (W u) (X u)) : R) h
    ((pairing L dm dX X' : R) + six (fun m => pairing dm (n * d) (dW m) (W' m))
     + pairing (n * d) dm dWO (W' WO))).
  eapply derives_ext; [reflexivity| |].
  { apply (layer_reverse_is_forward n dm L c gate_slope silu_slope (W h) W' (X h) X' dY). }
  apply (derives_sum L (fun u t =>
    sum dm (fun b => (dY t b : R) * layer n dm c (output c) (W u) (X u) t b : reals))).
  intros t Ht.
  apply (derives_sum dm (fun u b => (dY t b : R) * layer n dm c (output c) (W u) (X u) t b)).
  intros b Hb. apply derives_scal.
  apply (derives_sum (n * d) (fun u i => (concatenated dm c (output c) (W u)
    (X u) t i : R) * W u WO i b)
    (fun i => (head_output' dm L c gate_slope silu_slope (W h) W' (X h) X' (i / d) t (i mod d) : R)
                * W h WO i b
              + (concatenated dm c (output c) (W h) (X h) t i : R) * W' WO i b)).
  intros i Hi. apply derives_mult; [|apply W_moves].
  apply (derives_O d scale mask L (fun u => head_of dm c (W u) (X u) (i / d)) h); trivial.
  - apply head_moves.
  - apply Nat.mod_upper_bound. intros ->. lia.
Qed.

End Derivative.
