(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Gradient.v - the gradients of Backward.v are the derivative of CASTLE, over the reals.
 *
 * States    let the inputs move along any curve that is differentiable at h, with velocity x'. Then
 *             gradient_is_derivative    d/dh <dO, O> = sum over the six inputs of <gradient, x'>,
 *           O being the definition's output (Definitions.v), with sigmoid, SiLU and exp, any mask,
 *           any scale, any length. Straight lines in any direction are a corollary (all directional
 *           derivatives); that it holds along all curves makes it the total derivative.
 *             blockwise_gradient_is_derivative    the same of Algorithms 1 and 3 in a row.
 * C files   ref/backward.c, ref/backward_blockwise.c.
 *)
From Coq Require Import Reals Lra FunctionalExtensionality.
From Coquelicot Require Import Coquelicot.
Require Import Castle.Definitions Castle.Theorem1 Castle.Blocks Castle.OnlineSoftmax
  Castle.Blockwise Castle.Backward Castle.Algorithm3 Castle.BackwardBlockwise
  Castle.RealFunctions.
Open Scope R_scope.

(* ---- rules ----------------------------------------------------------------------------------- *)

Definition derives (f : R -> R) (h f' : R) : Prop := is_derive f h f'.

Lemma derives_ext (f g : R -> R) h f' g' :
  (forall u, f u = g u) -> f' = g' -> derives f h f' -> derives g h g'.
Proof. intros H <- Hf. unfold derives. now apply (is_derive_ext f). Qed.

Lemma derives_const a h : derives (fun _ => a) h 0.
Proof. exact (is_derive_const a h). Qed.

Lemma derives_plus f g h f' g' :
  derives f h f' -> derives g h g' -> derives (fun u => f u + g u) h (f' + g').
Proof. intros Hf Hg. exact (is_derive_plus f g h f' g' Hf Hg). Qed.

Lemma derives_minus f g h f' g' :
  derives f h f' -> derives g h g' -> derives (fun u => f u - g u) h (f' - g').
Proof. intros Hf Hg. exact (is_derive_minus f g h f' g' Hf Hg). Qed.

Lemma derives_mult f g h f' g' :
  derives f h f' -> derives g h g' -> derives (fun u => f u * g u) h (f' * g h + f h * g').
Proof. intros Hf Hg. apply (is_derive_mult f g h f' g' Hf Hg). intros a b. apply Rmult_comm. Qed.

Lemma derives_scal a f h f' : derives f h f' -> derives (fun u => a * f u) h (a * f').
Proof.
  intros Hf. eapply derives_ext; [reflexivity| |apply (derives_mult _ _ _ _ _
    (derives_const a h) Hf)].
  simpl. ring.
Qed.

Lemma derives_comp f g h f' g' :
  derives f (g h) f' -> derives g h g' -> derives (fun u => f (g u)) h (f' * g').
Proof.
  intros Hf Hg. eapply derives_ext; [reflexivity| |exact (is_derive_comp f g h f' g' Hf Hg)].
  unfold scal. simpl. unfold mult. simpl. ring.
Qed.

Lemma derives_sum n (f : R -> nat -> reals) (f' : nat -> reals) h :
  (forall i, (i < n)%nat -> derives (fun u => f u i) h (f' i)) ->
  derives (fun u => sum n (f u)) h (sum n f').
Proof.
  induction n as [|n IH]; intros H; simpl.
  - apply derives_const.
  - apply derives_plus; [apply IH; intros|]; apply H; lia.
Qed.

(* ---- the curve ------------------------------------------------------------------------------- *)

(* The inputs x u move through x h with velocity x'. *)
Definition moves (L d : nat) (x : R -> inputs reals) (h : R) (x' : inputs reals) : Prop :=
  forall t k, (t < L)%nat -> (k < d)%nat ->
    derives (fun u => QU (x u) t k) h (QU x' t k) /\
    derives (fun u => KU (x u) t k) h (KU x' t k) /\
    derives (fun u => VU (x u) t k) h (VU x' t k) /\
    derives (fun u => QC (x u) t k) h (QC x' t k) /\
    derives (fun u => KC (x u) t k) h (KC x' t k) /\
    derives (fun u => VC (x u) t k) h (VC x' t k).

Section Derivative.

Variables (d : nat) (scale : R) (mask : nat -> nat -> bool) (L : nat).
Let c := real_castle d scale mask.
Variables (x : R -> inputs reals) (h : R) (x' : inputs reals).
Hypothesis moving : moves L d x h x'.

Lemma derives_products (A B : R -> nat -> nat -> reals) (A' B' : nat -> nat -> reals) i j :
  (forall k, (k < d)%nat -> derives (fun u => A u i k) h (A' i k)) ->
  (forall k, (k < d)%nat -> derives (fun u => B u j k) h (B' j k)) ->
  derives (fun u => scale * product_nt d (A u) (B u) i j) h
          (scale * product_nt' c (A h) A' (B h) B' i j).
Proof.
  intros HA HB. apply derives_scal.
  apply (derives_sum d (fun u k => A u i k * B u j k)
           (fun k => A' i k * B h j k + A h i k * B' j k)).
  intros k Hk. apply derives_mult; [now apply HA|now apply HB].
Qed.

Lemma derives_G s j :
  (s < L)%nat -> (j < L)%nat ->
  derives (fun u => G c (x u) s j) h (G' c (x h) gate_slope x' s j).
Proof.
  intros Hs Hj. unfold G', G, masked, map, scaled. simpl. destruct (mask s j).
  - apply (derives_comp sigmoid); [apply sigmoid_derivative|].
    apply derives_products; intros k Hk; now apply moving.
  - apply derives_const.
Qed.

Lemma derives_T1 t j :
  (t < L)%nat -> (j < L)%nat -> derives (fun u => T1 c (x u) t j) h (T1' c (x h) x' t j).
Proof.
  intros Ht Hj. unfold T1', T1, masked, scaled. simpl. destruct (tril t j).
  - apply derives_products; intros k Hk; now apply moving.
  - apply derives_const.
Qed.

Lemma derives_SU t s :
  (t < L)%nat -> (s < L)%nat ->
  derives (fun u => SU c (x u) L t s) h (SU' c (x h) L gate_slope x' t s).
Proof.
  intros Ht Hs.
  apply (derives_sum L (fun u j => (T1 c (x u) t j : R) * G c (x u) s j)
    (fun j => (T1' c (x h) x' t j : R) * G c (x h) s j + (T1 c (x h) t j : R) * G' c
      (x h) gate_slope x' s j)).
  intros j Hj. apply derives_mult; [now apply derives_T1|now apply derives_G].
Qed.

Lemma derives_scores t s :
  (t < L)%nat -> (s < L)%nat ->
  derives (fun u => scores c (x u) L t s) h (S' c (x h) L gate_slope silu_slope x' t s).
Proof.
  intros Ht Hs. unfold scores, S'. apply derives_minus.
  - apply derives_products; intros k Hk; now apply moving.
  - apply (derives_comp silu); [apply silu_derivative|now apply derives_SU].
Qed.

(* the softmax's numerators *)
Let e (y : inputs reals) (t s : nat) : R := if tril t s then exp (scores c y L t s) else 0.

Lemma derives_e t s :
  (t < L)%nat -> (s < L)%nat ->
  derives (fun u => e (x u) t s) h (e (x h) t s * S' c (x h) L gate_slope silu_slope x' t s).
Proof.
  intros Ht Hs. unfold e. destruct (tril t s).
  - apply (derives_comp exp); [apply is_derive_exp|now apply derives_scores].
  - eapply derives_ext; [reflexivity| |apply derives_const]. simpl. ring.
Qed.

Lemma row_sum_positive y t : (t < L)%nat -> 0 < (row_sum c y L t : R).
Proof.
  intros Ht. replace (row_sum c y L t) with (denominator c y t)
    by (symmetry; now apply theorem1_denominator).
  apply denominator_positive.
Qed.

Lemma derives_row_sum t :
  (t < L)%nat ->
  derives (fun u => row_sum c (x u) L t) h
          (sum L (fun s => e (x h) t s * S' c (x h) L gate_slope silu_slope x' t s : reals)).
Proof.
  intros Ht. apply (derives_sum L (fun u s => e (x u) t s)). intros s Hs. now apply derives_e.
Qed.

Lemma P_is_e y t s : (P c y L t s : R) = e y t s * / (row_sum c y L t : R).
Proof. unfold P, masked, e. destruct (tril t s); simpl; [reflexivity|ring]. Qed.

Lemma derives_P t s :
  (t < L)%nat -> (s < L)%nat ->
  derives (fun u => P c (x u) L t s) h (P' c (x h) L gate_slope silu_slope x' t s).
Proof.
  intros Ht Hs. pose proof (row_sum_positive (x h) t Ht) as Hl.
  set (l := fun u => (row_sum c (x u) L t : R)).
  set (Sd := S' c (x h) L gate_slope silu_slope x' t).
  apply (derives_ext (fun u => e (x u) t s * / l u) _ h
    (e (x h) t s * Sd s * / l h +
     e (x h) t s * (- / (l h * l h) * sum L (fun r => e (x h) t r * Sd r : reals)))).
  - intros u. now rewrite P_is_e.
  - unfold P'. fold Sd.
    assert (Hmean : (sum L (fun r => (P c (x h) L t r : R) * Sd r : reals) : R) =
                    / l h * sum L (fun r => e (x h) t r * Sd r : reals)).
    { rewrite <- (sum_mul_l (K := reals)). apply sum_ext. intros r _. rewrite P_is_e.
      simpl. unfold l. ring. }
    change (e (x h) t s * Sd s * / l h +
     e (x h) t s * (- / (l h * l h) * sum L (fun r => e (x h) t r * Sd r : reals)) =
     (P c (x h) L t s : R) * (Sd s - sum L (fun r => (P c (x h) L t r : R) * Sd r : reals))).
    rewrite Hmean, P_is_e. fold (l h). simpl carrier. field. unfold l. lra.
  - apply (derives_mult (fun u => e (x u) t s) (fun u => / l u)); [now apply derives_e|].
    apply (derives_comp Rinv l).
    + unfold derives. auto_derive; [unfold l; lra|]. field. unfold l. lra.
    + now apply derives_row_sum.
Qed.

Lemma derives_O t k :
  (t < L)%nat -> (k < d)%nat ->
  derives (fun u => output c (x u) t k) h (O' c (x h) L gate_slope silu_slope x' t k).
Proof.
  intros Ht Hk. eapply derives_ext; [intros u; now apply (theorem1 c (x u) L)|reflexivity|].
  apply (derives_sum L (fun u s => (P c (x u) L t s : R) * VC (x u) s k)
    (fun s => (P' c (x h) L gate_slope silu_slope x' t s : R) * VC (x h) s k +
              (P c (x h) L t s : R) * VC x' s k)).
  intros s Hs. apply derives_mult; [now apply derives_P|now apply moving].
Qed.

(* The gradients are the derivative. *)
Theorem gradient_is_derivative (dO : nat -> nat -> reals) :
  is_derive (fun u => pairing L d dO (output c (x u)) : R) h
            (inputs_pairing L d (backward c (x h) L gate_slope silu_slope dO) x').
Proof.
  change (derives (fun u => pairing L d dO (output c (x u)) : R) h
            (inputs_pairing L d (backward c (x h) L gate_slope silu_slope dO) x')).
  eapply derives_ext; [reflexivity|apply (reverse_is_forward c (x h) L)|].
  apply (derives_sum L (fun u t => sum d (fun k => (dO t k : R) * output c (x u) t k : reals))).
  intros t Ht. apply (derives_sum d (fun u k => (dO t k : R) * output c (x u) t k)).
  intros k Hk. apply derives_scal. now apply derives_O.
Qed.

End Derivative.

(* x + u x' *)
Definition line (x x' : inputs reals) (u : R) : inputs reals :=
  let at_ (A A' : nat -> nat -> reals) (t k : nat) : reals := (A t k : R) + u * A' t k in
  Inputs (at_ (QU x) (QU x')) (at_ (KU x) (KU x')) (at_ (VU x) (VU x'))
         (at_ (QC x) (QC x')) (at_ (KC x) (KC x')) (at_ (VC x) (VC x')).

Lemma line_moves L d x x' h : moves L d (line x x') h x'.
Proof.
  assert (H : forall a b : R, derives (fun u => a + u * b) h b).
  { intros a b. unfold derives. auto_derive; [trivial|ring]. }
  intros t k _ _. do 5 (split; [apply H|]). apply H.
Qed.

Lemma line_0 x x' : line x x' 0 = x.
Proof.
  assert (H : forall A A' : nat -> nat -> reals, (fun t k => (A t k : R) + 0 * A' t k) = A).
  { intros A A'. extensionality t. extensionality k. simpl. ring. }
  destruct x. unfold line. simpl. now rewrite !H.
Qed.

(* The derivative along any direction x', at any inputs x *)
Corollary directional_derivative d scale mask L x x' dO :
  let c := real_castle d scale mask in
  is_derive (fun u => pairing L d dO (output c (line x x' u)) : R) 0
            (inputs_pairing L d (backward c x L gate_slope silu_slope dO) x').
Proof.
  pose proof (gradient_is_derivative d scale mask L (line x x') 0 x'
    (line_moves L d x x' 0) dO) as H.
  rewrite line_0 in H. exact H.
Qed.

(* ... of CASTLE and CASTLE-SWL *)
Corollary directional_derivative_castle d scale L x x' dO :
  let c := real_castle d scale castle_mask in
  is_derive (fun u => pairing L d dO (output c (line x x' u)) : R) 0
            (inputs_pairing L d (backward c x L gate_slope silu_slope dO) x').
Proof. apply directional_derivative. Qed.

Corollary directional_derivative_castle_swl W d scale L x x' dO :
  let c := real_castle d scale (swl_mask W) in
  is_derive (fun u => pairing L d dO (output c (line x x' u)) : R) 0
            (inputs_pairing L d (backward c x L gate_slope silu_slope dO) x').
Proof. apply directional_derivative. Qed.

(* Algorithm 1 with any block size and reference points, then Algorithm 3 with either way of taking
 * D back: what comes out is the derivative. *)
Theorem blockwise_gradient_is_derivative d scale mask L B meets reference how x x' dO :
  (1 <= B)%nat -> ahead mask -> meets_is_sound L B mask meets ->
  let c := real_castle d scale mask in
  let lse t := (blockwise_m c x L B meets reference t : R)
               + ln (blockwise_l c x L B meets reference t) in
  let g := backward_blockwise c x L B meets gate_slope silu_slope
             (blockwise_output c x L B meets reference) lse (blockwise_D c x L B meets reference)
             dO how in
  is_derive (fun u => pairing L d dO (output c (line x x' u)) : R) 0 (inputs_pairing L d g x').
Proof.
  intros HB Hm Hs c lse g.
  assert (Hlse : forall r, (r < L)%nat -> exp (lse r) =
    exp (blockwise_m c x L B meets reference r) * (blockwise_l c x L B meets reference r : R)).
  { intros r Hr. unfold lse.
    destruct (real_blockwise_l d scale mask x L B meets reference r HB Hm Hs Hr) as [_ Hl].
    fold c in Hl. now rewrite exp_plus, exp_ln. }
  assert (Hg := fun t k => backward_after_blockwise c x L B meets gate_slope silu_slope reference
    lse dO how t k HB Hm Hs exp_rescalable Hlse).
  replace (inputs_pairing L d g x')
    with (inputs_pairing L d (backward c x L gate_slope silu_slope dO) x');
    [apply directional_derivative|].
  unfold inputs_pairing.
  repeat (match goal with |- add _ _ = add _ _ => f_equal end);
    apply pairing_ext; intros t k Ht _; destruct (Hg t k Ht) as (H1 & H2 & H3 & H4 & H5 & H6);
    f_equal; symmetry; assumption.
Qed.
