(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Layer.v - the multi-head layer, and how many numbers it learns.
 *
 * States    Y = [O_1 | .. | O_n] WO with any form of a head; forms that agree on heads agree on the
 *           layer, so Theorems 1 to 3 hold for the layer; the layer is causal; its parameters are
 *           the 7 n d dm numbers that it reads, standard attention's are 4 n d dm, and the two are
 *           equally many exactly where 7 n_CASTLE = 4 n_standard.
 * Equations section 2.5, appendix C. C file: ref/layer.c.
 * Shapes    X, Y L x dm; the six projections dm x (n d), head h's columns h d .. (h+1) d - 1; WO
 *           (n d) x dm, alike by rows.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Decode Castle.Blocks
  Castle.OnlineSoftmax Castle.Blockwise.
Require Import List FinFun.
Import ListNotations.

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

(* ---- parameters: names of numbers, (matrix, row, column) ------------------------------------- *)

Definition parameter : Type := matrix_name * (nat * nat).

Definition rows (n d dm : nat) (m : matrix_name) : nat :=
  match m with WO => n * d | _ => dm end.
Definition columns (n d dm : nat) (m : matrix_name) : nat :=
  match m with WO => dm | _ => n * d end.

Definition entries (n d dm : nat) (m : matrix_name) : list parameter :=
  flat_map (fun i => map (fun j => (m, (i, j))) (seq 0 (columns n d dm m)))
           (seq 0 (rows n d dm m)).
Definition parameters (names : list matrix_name) (n d dm : nat) : list parameter :=
  flat_map (entries n d dm) names.

Definition castle_parameters := parameters [WQU; WKU; WVU; WQC; WKC; WVC; WO].
Definition standard_parameters := parameters [WQC; WKC; WVC; WO].

Lemma flat_map_constant_length {A C : Type} (f : A -> list C) k l :
  (forall a, length (f a) = k) -> length (flat_map f l) = (length l * k)%nat.
Proof.
  intros H. induction l as [|a l IH]; simpl; [reflexivity|]. rewrite app_length, H, IH. reflexivity.
Qed.

Lemma parameters_length names n d dm :
  length (parameters names n d dm) = (length names * (n * d * dm))%nat.
Proof.
  apply flat_map_constant_length. intros m. unfold entries.
  rewrite (flat_map_constant_length _ (columns n d dm m)), seq_length.
  - destruct m; simpl; lia.
  - intros i. now rewrite map_length, seq_length.
Qed.

Lemma in_parameters names n d dm m i j :
  In (m, (i, j)) (parameters names n d dm) <->
  In m names /\ (i < rows n d dm m)%nat /\ (j < columns n d dm m)%nat.
Proof.
  unfold parameters, entries. rewrite in_flat_map. split.
  - intros (m' & Hm & H). apply in_flat_map in H as (i' & Hi & H).
    apply in_map_iff in H as (j' & E & Hj).
    injection E as -> -> ->. rewrite in_seq in Hi, Hj. repeat split; trivial; lia.
  - intros (Hm & Hi & Hj). exists m. split; [assumption|]. apply in_flat_map. exists i.
    rewrite in_seq. split; [lia|]. apply in_map_iff. exists j. rewrite in_seq.
    split; [reflexivity|lia].
Qed.

Lemma NoDup_app_disjoint {A : Type} (l l' : list A) :
  NoDup l -> NoDup l' -> (forall a, In a l -> ~ In a l') -> NoDup (l ++ l').
Proof.
  intros H H' D. induction H as [|a l Ha _ IH]; simpl; [assumption|]. constructor.
  - rewrite in_app_iff. intros [E|E]; [contradiction|]. apply (D a); [left|]; trivial.
  - apply IH. intros b Hb. apply D. now right.
Qed.

Lemma NoDup_flat_map {A C : Type} (f : A -> list C) (key : C -> A) l :
  NoDup l -> (forall a, NoDup (f a)) -> (forall a b, In b (f a) -> key b = a) ->
  NoDup (flat_map f l).
Proof.
  intros Hl Hf Hk. induction Hl as [|a l Ha _ IH]; simpl; [constructor|].
  apply NoDup_app_disjoint; trivial. intros b Hb H. apply in_flat_map in H as (a' & Ha' & Hb').
  apply Hk in Hb, Hb'. congruence.
Qed.

Lemma parameters_distinct names n d dm : NoDup names -> NoDup (parameters names n d dm).
Proof.
  intros H. apply (NoDup_flat_map _ fst); [assumption| |].
  - intros m. apply (NoDup_flat_map _ (fun p => fst (snd p))); [apply seq_NoDup| |].
    + intros i. apply Injective_map_NoDup; [|apply seq_NoDup]. intros j j' [=]. assumption.
    + intros i p Hp. apply in_map_iff in Hp as (j & <- & _). reflexivity.
  - intros m p Hp. apply in_flat_map in Hp as (i & _ & Hp). apply in_map_iff in Hp as (j & <- & _).
    reflexivity.
Qed.

Lemma castle_parameters_distinct n d dm : NoDup (castle_parameters n d dm).
Proof.
  apply parameters_distinct. repeat constructor; simpl; intuition discriminate.
Qed.

Lemma standard_parameters_distinct n d dm : NoDup (standard_parameters n d dm).
Proof.
  apply parameters_distinct. repeat constructor; simpl; intuition discriminate.
Qed.

Section Counts.

Context {K : ring}.
Variables (n dm : nat) (c : operator K).
Let d := dim c.

(* Weights that are equal in these numbers are the same to the layer. *)
Definition same_on (ps : list parameter) (w w' : weights) : Prop :=
  forall m i j, In (m, (i, j)) ps -> w m i j = w' m i j :> K.

Lemma head_columns i k : (i < n * d)%nat -> (k < d)%nat -> (i / d * d + k < n * d)%nat.
Proof.
  intros Hi Hk. assert (i / d < n)%nat by (apply Nat.div_lt_upper_bound; lia). nia.
Qed.

Lemma projected_same X (W W' : nat -> nat -> K) h t k :
  (forall a, (a < dm)%nat -> W a (h * d + k)%nat = W' a (h * d + k)%nat) ->
  projected dm c X W h t k = projected dm c X W' h t k.
Proof. intros H. apply sum_ext. intros a Ha. fold d. now rewrite H. Qed.

Lemma in_heads m h k a :
  m <> WO -> (h * d + k < n * d)%nat -> (a < dm)%nat ->
  (a < rows n d dm m)%nat /\ (h * d + k < columns n d dm m)%nat.
Proof. destruct m; simpl; intuition congruence. Qed.

(* The layer reads castle_parameters and no other number: these are what it can learn. *)
Theorem castle_reads_its_parameters w w' X t b :
  (b < dm)%nat -> same_on (castle_parameters n d dm) w w' ->
  layer n dm c (output c) w X t b = layer n dm c (output c) w' X t b.
Proof.
  intros Hb H. apply sum_ext. intros i Hi. unfold concatenated. fold d in Hi |- *.
  assert (Hk : (i mod d < d)%nat) by (apply Nat.mod_upper_bound; lia).
  rewrite (H WO i b).
  2: { apply in_parameters. simpl. intuition. }
  rewrite (causality c t (head_of dm c w X (i / d)) (head_of dm c w' X (i / d))); trivial.
  intros s k Hs Hkd. pose proof (head_columns i k Hi Hkd) as Hcol.
  repeat split; apply projected_same; intros a Ha; apply H, in_parameters;
    (split; [simpl; tauto|apply in_heads; trivial; discriminate]).
Qed.

Theorem standard_reads_its_parameters w w' X t b :
  (b < dm)%nat -> same_on (standard_parameters n d dm) w w' ->
  layer n dm c (standard_output c) w X t b = layer n dm c (standard_output c) w' X t b.
Proof.
  intros Hb H. apply sum_ext. intros i Hi. unfold concatenated. fold d in Hi |- *.
  assert (Hk : (i mod d < d)%nat) by (apply Nat.mod_upper_bound; lia).
  rewrite (H WO i b).
  2: { apply in_parameters. simpl. intuition. }
  f_equal.
  assert (Hproj : forall m s k, In m [WQC; WKC; WVC] -> (k < d)%nat ->
    projected dm c X (w m) (i / d) s k = projected dm c X (w' m) (i / d) s k).
  { intros m s k Hm Hkd. pose proof (head_columns i k Hi Hkd) as Hcol.
    apply projected_same. intros a Ha. apply H, in_parameters.
    split; [simpl in *; tauto|apply in_heads; trivial; intros ->; simpl in Hm; intuition
      discriminate]. }
  assert (Hscore : forall s, causal_score c (head_of dm c w X (i / d)) t s =
                             causal_score c (head_of dm c w' X (i / d)) t s).
  { intros s. unfold causal_score. f_equal. apply dot_ext. intros k Hkd.
    split; apply Hproj; simpl; tauto. }
  unfold standard_output. apply sum_ext. intros s Hs. rewrite Hscore. f_equal; [f_equal; f_equal|].
  - apply sum_ext. intros r _. now rewrite Hscore.
  - apply Hproj; simpl; tauto.
Qed.

End Counts.

Theorem castle_parameter_count n d dm : length (castle_parameters n d dm) = (7 * n * d * dm)%nat.
Proof. unfold castle_parameters. rewrite parameters_length. simpl length. lia. Qed.

Theorem standard_parameter_count n d dm :
  length (standard_parameters n d dm) = (4 * n * d * dm)%nat.
Proof. unfold standard_parameters. rewrite parameters_length. simpl length. lia. Qed.

(* Equal sizes: n_CASTLE = 4/7 n_standard *)
Theorem four_sevenths n_castle n_standard d dm :
  (0 < d)%nat -> (0 < dm)%nat ->
  (length (castle_parameters n_castle d dm) = length (standard_parameters n_standard d dm) <->
   7 * n_castle = 4 * n_standard)%nat.
Proof.
  intros Hd Hm. rewrite castle_parameter_count, standard_parameter_count.
  rewrite <- !(Nat.mul_assoc _ d dm). apply Nat.mul_cancel_r. nia.
Qed.
