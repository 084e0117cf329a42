(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Parameters.v - how many numbers a layer learns.
 *
 * States    castle_reads_its_parameters    the layer depends on no number but the listed ones;
 *           castle_needs_its_parameters    on each of them it does depend;
 *           castle_parameter_count         they are 7 n d dm;
 *           the first and the last of standard attention, 4 n d dm; and that the two are equally
 *           many exactly where 7 n_CASTLE = 4 n_standard.
 * Equations section 2.5. C file: ref/layer.c, weights_for.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Layer.
Require Import Ring List FinFun.
Import ListNotations.

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

(* ---- every parameter counts ------------------------------------------------------------------ *)

Section Needs.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables n d dm i0 j0 b0 : nat.
Hypothesis i0_row : (i0 < dm)%nat.
Hypothesis j0_column : (j0 < n * d)%nat.
Hypothesis b0_column : (b0 < dm)%nat.
Let h0 := (j0 / d)%nat.
Let k0 := (j0 mod d)%nat.

(* One number per matrix, its other entries 0: the layer is then their product. *)
Definition single (a : matrix_name -> K) : weights (K := K) := fun m r s =>
  let here := match m with WO => (r =? j0) && (s =? b0) | _ => (r =? i0) && (s =? j0) end in
  if here then a m else 0.
Definition token (_ r : nat) : K := if r =? i0 then 1 else 0.
Definition plain : operator K :=
  Operator d 1 castle_mask (fun z => z) (fun z => - z) (fun z => z) (fun _ => 1).

Variable a : matrix_name -> K.
Let x : inputs K := head_of dm plain (single a) token h0.

Lemma here k : (k < d)%nat -> (h0 * d + k =? j0) = (k =? k0).
Proof.
  intros Hk. unfold h0, k0. pose proof (Nat.div_mod j0 d ltac:(lia)) as H.
  destruct (Nat.eqb_spec (j0 / d * d + k) j0), (Nat.eqb_spec k (j0 mod d)); trivial; lia.
Qed.

Lemma k0_small : (k0 < d)%nat.
Proof. apply Nat.mod_upper_bound. intros ->. lia. Qed.

Lemma single_projected m t k :
  m <> WO -> (k < d)%nat ->
  projected dm plain token (single a m) h0 t k = if k =? k0 then a m else 0.
Proof.
  intros Hm Hk. unfold projected. rewrite (sum_one dm i0); trivial.
  - unfold token, single. change (dim plain) with d. rewrite Nat.eqb_refl.
    destruct m; try congruence; simpl andb; rewrite here by assumption; destruct (k =? k0); ring.
  - intros r _ Hr. unfold token. apply Nat.eqb_neq in Hr. rewrite Hr. ring.
Qed.

(* the only term of a dot product *)
Lemma single_dot (u v : nat -> K) p q :
  (forall k, (k < d)%nat -> u k = if k =? k0 then p else 0) ->
  (forall k, (k < d)%nat -> v k = if k =? k0 then q else 0) -> dot d u v = p * q.
Proof.
  intros Hu Hv. unfold dot. rewrite (sum_one d k0).
  - rewrite Hu, Hv, Nat.eqb_refl by apply k0_small. reflexivity.
  - apply k0_small.
  - intros k Hk Hne. apply Nat.eqb_neq in Hne. rewrite Hu, Hne by assumption. ring.
Qed.

Lemma single_causal_score t s : causal_score plain x t s = a WQC * a WKC.
Proof.
  unfold causal_score. change (dim plain) with d. change (scale plain) with (1 : K).
  rewrite (single_dot _ _ (a WQC) (a WKC)); [ring| |];
    intros k Hk; apply single_projected; trivial; discriminate.
Qed.

Lemma single_gate s j : gate_of plain x s j = a WQU * a WKU.
Proof.
  unfold gate_of. change (dim plain) with d. change (scale plain) with (1 : K). simpl gate.
  rewrite (single_dot _ _ (a WQU) (a WKU)); [ring| |];
    intros k Hk; apply single_projected; trivial; discriminate.
Qed.

(* the first token sees itself only; of the second, the first's lookahead key has seen one token *)
Lemma single_lookahead_score t s :
  lookahead_score plain x t s =
  if (t =? 1) && (s =? 0) then a WQC * (a WQU * a WKU * a WVU)
  else lookahead_score plain x t s.
Proof.
  destruct (Nat.eqb_spec t 1) as [->|]; [|reflexivity].
  destruct (Nat.eqb_spec s 0) as [->|]; [|reflexivity]. simpl andb.
  unfold lookahead_score. change (dim plain) with d. change (scale plain) with (1 : K).
  rewrite (single_dot _ _ (a WQC) (a WQU * a WKU * a WVU)); [ring| |].
  - intros k Hk. apply single_projected; trivial. discriminate.
  - intros k Hk. unfold lookahead_key. cbn [sum]. change (allowed plain 0 0) with false.
    change (allowed plain 0 1) with true. cbv iota. rewrite single_gate.
    replace (VU x 1 k) with (if k =? k0 then a WVU else 0)
      by (symmetry; apply single_projected; trivial; discriminate).
    destruct (k =? k0); ring.
Qed.

Lemma single_own_score t : lookahead_score plain x t t = 0.
Proof.
  unfold lookahead_score, dot. change (scale plain) with (1 : K). rewrite sum_zero; [ring|].
  intros k _. unfold lookahead_key. rewrite sum_zero; [ring|]. intros j Hj.
  simpl. unfold castle_mask. destruct (Nat.ltb_spec t j); [lia|reflexivity].
Qed.

Lemma single_layer t :
  layer n dm plain (output plain) (single a) token t b0 = output plain x t k0 * a WO.
Proof.
  unfold layer, concatenated. change (dim plain) with d. rewrite (sum_one _ j0); trivial.
  - fold h0 k0 x. replace (single a WO j0 b0) with (a WO); [reflexivity|].
    unfold single. now rewrite !Nat.eqb_refl.
  - intros i _ Hi. replace (single a WO i b0) with (zero (r := K)); [ring|].
    unfold single. apply Nat.eqb_neq in Hi. now rewrite Hi.
Qed.

Lemma single_VC t : VC x t k0 = a WVC.
Proof.
  unfold x, head_of. simpl VC. rewrite single_projected by (try apply k0_small; discriminate).
  now rewrite Nat.eqb_refl.
Qed.

Lemma layer_at_0 :
  layer n dm plain (output plain) (single a) token 0 b0 = a WQC * a WKC * a WVC * a WO.
Proof.
  rewrite single_layer. unfold output, attention, score. cbn [sum].
  rewrite single_causal_score, single_own_score, single_VC. simpl. ring.
Qed.

Lemma layer_at_1 :
  a WKC = 0 ->
  layer n dm plain (output plain) (single a) token 1 b0 =
  a WQC * a WQU * a WKU * a WVU * a WVC * a WO.
Proof.
  intros Ha. rewrite single_layer. unfold output, attention, score. cbn [sum].
  rewrite !single_causal_score, single_own_score, !single_VC, (single_lookahead_score 1 0), Ha.
  simpl. ring.
Qed.

End Needs.

Lemma matrix_name_eq_dec (m m' : matrix_name) : {m = m'} + {m <> m'}.
Proof. decide equality. Defined.

Section Minimal.

Context {K : ring}.
Add Ring K_ring : (laws K).

(* The layer depends on every one of its parameters: there are weights that differ in that one only,
 * and functions in the place of sigmoid, SiLU, exp and 1/x, that give it two answers. *)
Theorem castle_needs_its_parameters n d dm m i j :
  one (r := K) <> 0 -> In (m, (i, j)) (castle_parameters n d dm) ->
  exists (c : operator K) (w w' : weights) X t b,
    dim c = d /\ (b < dm)%nat /\
    (forall m' i' j', (m', (i', j')) <> (m, (i, j)) -> w m' i' j' = w' m' i' j') /\
    layer n dm c (output c) w X t b <> layer n dm c (output c) w' X t b.
Proof.
  intros H1 Hp. apply in_parameters in Hp as (_ & Hi & Hj).
  (* the row and the columns that the one number per matrix stands in *)
  assert (Hrows : exists i0 j0 b0, (i0 < dm)%nat /\ (j0 < n * d)%nat /\ (b0 < dm)%nat /\
    (m = WO /\ i = j0 /\ j = b0 \/ m <> WO /\ i = i0 /\ j = j0)).
  { destruct (matrix_name_eq_dec m WO) as [->|Hm].
    - simpl in Hi, Hj. exists 0%nat, i, j. repeat split; trivial; [lia|]. left. auto.
    - exists i, j, 0%nat. destruct m; try congruence; simpl in Hi, Hj;
        (repeat split; trivial; [lia|]); right; auto. }
  destruct Hrows as (i0 & j0 & b0 & Hi0 & Hj0 & Hb0 & Hat).
  pose (without m0 (m' : matrix_name) := if matrix_name_eq_dec m' m0 then zero (r := K) else 1).
  pose (base m' := match m with WKC => one (r := K) | _ => without WKC m' end).
  pose (less m' := if matrix_name_eq_dec m' m then zero (r := K) else base m').
  exists (plain d), (single i0 j0 b0 base), (single i0 j0 b0 less), (token i0),
    (match m with WKC => 0%nat | _ => 1%nat end), b0.
  split; [reflexivity|]. split; [assumption|]. split.
  - intros m' i' j' Hne. unfold single. assert (Hother : m' <> m -> base m' = less m').
    { intros H. unfold less. destruct (matrix_name_eq_dec m' m); [contradiction|reflexivity]. }
    destruct (matrix_name_eq_dec m' m) as [->|H].
    + destruct Hat as [(-> & -> & ->)|(Hm & -> & ->)].
      * destruct (Nat.eqb_spec i' j0), (Nat.eqb_spec j' b0); simpl; congruence.
      * destruct m; try congruence; destruct (Nat.eqb_spec i' i0), (Nat.eqb_spec j' j0); simpl;
          congruence.
    + now rewrite Hother.
  - assert (L0 : forall a : matrix_name -> K,
      layer n dm (plain d) (output (plain d)) (single i0 j0 b0 a) (token i0) 0 b0 =
      a WQC * a WKC * a WVC * a WO) by (intros a; now apply layer_at_0).
    assert (L1 : forall a : matrix_name -> K, a WKC = 0 ->
      layer n dm (plain d) (output (plain d)) (single i0 j0 b0 a) (token i0) 1 b0 =
      a WQC * a WQU * a WKU * a WVU * a WVC * a WO) by (intros a Ha; now apply layer_at_1).
    clear Hat. intros E. apply H1.
    destruct m; cbv iota in E; rewrite ?L0 in E; rewrite ?L1 in E by reflexivity;
      unfold less, base, without in E; simpl in E; ring_simplify in E;
      exact E || (symmetry; exact E).
Qed.

End Minimal.
