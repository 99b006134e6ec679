using Qcow2.Engine.Errors;

namespace Qcow2.Engine;

/// <summary>
/// Says which internal snapshot of an image is meant. Every command selects by this one rule: a snapshot must fit all that is said, and
/// where several fit, none is taken.
/// </summary>
public sealed record SnapshotSelector
{
    /// <summary>
    /// An id or a name. Case matters only where it tells snapshots apart. Where it is the id of one snapshot and the name of another,
    /// or the name of several, it selects none: QEMU would take the one with the id, which the user may not have meant.
    /// </summary>
    public string? IdOrName { get; init; }

    /// <summary>The id; case matters. Null or empty for any.</summary>
    public string? Id { get; init; }

    /// <summary>The name; case matters. Null or empty for any.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// When the snapshot was taken; null for any. It is compared as exactly as it is said: to the second or the minute where it has no
    /// fractions of them.
    /// </summary>
    public DateTime? CreationTime { get; init; }

    /// <summary>Selects by an id or a name.</summary>
    /// <param name="idOrName">The id or name.</param>
    public static SnapshotSelector Of(string idOrName) => new() { IdOrName = idOrName };

    /// <summary>Selects the very snapshot that an object describes, and not one that has its id or its name by now.</summary>
    /// <param name="snapshot">The object. What is not set in it is not looked at.</param>
    public static SnapshotSelector Of(Qcow2Snapshot snapshot) => new()
    {
        Id = snapshot.Id,
        Name = snapshot.Name,
        CreationTime = snapshot.CreationTime == default ? null : snapshot.CreationTime,
    };

    /// <summary>Selects by an id and a name, as far as they are known; null where neither is.</summary>
    /// <param name="id">The id.</param>
    /// <param name="name">The name.</param>
    public static SnapshotSelector? From(string? id, string? name)
        => string.IsNullOrEmpty(id) && string.IsNullOrEmpty(name) ? null : new SnapshotSelector { Id = id, Name = name };

    /// <summary>Finds the snapshot.</summary>
    /// <param name="snapshots">All snapshots of an image.</param>
    /// <exception cref="Qcow2Exception">
    /// None fits (<see cref="Qcow2ErrorCode.SnapshotNotFound"/>), several do (<see cref="Qcow2ErrorCode.SnapshotAmbiguous"/>), or the one
    /// with the id has another name or time than is said (<see cref="Qcow2ErrorCode.SnapshotChanged"/>). It names no file.
    /// </exception>
    public Qcow2Snapshot Find(IReadOnlyList<Qcow2Snapshot> snapshots)
    {
        List<Qcow2Snapshot> found = [.. Candidates(snapshots).Where(HasAll)];
        return found.Count switch
        {
            1 => found[0],
            0 => throw WhyNone(snapshots),
            _ => throw Ambiguous(found),
        };
    }

    /// <summary>Finds the snapshot in an image, which errors name.</summary>
    /// <param name="image">The image.</param>
    /// <exception cref="Qcow2Exception">As of the other overload.</exception>
    public Qcow2Snapshot Find(Qcow2ImageInfo image)
    {
        try
        {
            return Find(image.Snapshots);
        }
        catch (Qcow2Exception e)
        {
            e.At(image.Path);
            throw;
        }
    }

    /// <summary>The snapshots that an id or a name can mean; more than one where it is ambiguous.</summary>
    /// <param name="snapshots">All snapshots of an image.</param>
    /// <param name="idOrName">The id or name.</param>
    public static IReadOnlyList<Qcow2Snapshot> Meant(IEnumerable<Qcow2Snapshot> snapshots, string idOrName)
    {
        Qcow2Snapshot[] all = [.. snapshots];
        Qcow2Snapshot[] exact = [.. all.Where(one => one.Id == idOrName || one.Name == idOrName)];
        return exact.Length > 0 ? exact : [.. all.Where(one => string.Equals(one.Name, idOrName, StringComparison.OrdinalIgnoreCase))];
    }

    /// <summary>The error for what fits several snapshots: it lists them.</summary>
    /// <param name="image">The image.</param>
    /// <param name="found">Those that fit.</param>
    public Qcow2Exception Ambiguous(Qcow2ImageInfo image, IEnumerable<Qcow2Snapshot> found) => Ambiguous(found).At(image.Path);

    /// <summary>The error for what fits no snapshot: it lists those there are.</summary>
    /// <param name="image">The image.</param>
    public Qcow2Exception NotFound(Qcow2ImageInfo image) => NotFound(image.Snapshots).At(image.Path);

    /// <summary>What is said: the id or name, the name, or the id.</summary>
    public override string ToString() => IdOrName ?? (string.IsNullOrEmpty(Name) ? Id ?? "" : Name!);

    /// <summary>Whether anything is said at all.</summary>
    internal bool IsEmpty => string.IsNullOrEmpty(IdOrName) && string.IsNullOrEmpty(Id) && string.IsNullOrEmpty(Name) && CreationTime is null;

    private IEnumerable<Qcow2Snapshot> Candidates(IReadOnlyList<Qcow2Snapshot> snapshots)
    {
        if (IsEmpty)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.SnapshotNotFound, "The object is about a snapshot, but has neither its id nor its name any more (Select-Object Path, Id, Name keeps them).");
        }

        if (IdOrName is null)
        {
            return snapshots;
        }

        if (string.IsNullOrEmpty(Id))
        {
            return Meant(snapshots, IdOrName);
        }

        // With an id beside it, it can only be the name.
        return snapshots.Where(one => one.Id == Id && string.Equals(one.Name, IdOrName, StringComparison.OrdinalIgnoreCase));
    }

    private bool HasAll(Qcow2Snapshot snapshot)
        => (string.IsNullOrEmpty(Id) || snapshot.Id == Id)
            && (string.IsNullOrEmpty(Name) || snapshot.Name == Name)
            && (CreationTime is not DateTime time || IsSameTime(snapshot.CreationTime, time));

    private Qcow2Exception Ambiguous(IEnumerable<Qcow2Snapshot> found)
    {
        Qcow2Snapshot[] all = [.. found];
        bool areIdsUnique = all.Select(one => one.Id).Distinct(StringComparer.Ordinal).Count() == all.Length;
        return new Qcow2Exception(
            Qcow2ErrorCode.SnapshotAmbiguous,
            $"'{PrintableText.Of(ToString())}' means several snapshots: {Describe(all)}. Say which by its {(areIdsUnique ? "id" : "name: ids should be unique, and these are not")}.");
    }

    private Qcow2Exception NotFound(IReadOnlyList<Qcow2Snapshot> snapshots)
    {
        string what = IdOrName is not null ? $"id or name '{PrintableText.Of(IdOrName)}'"
            : string.IsNullOrEmpty(Id) ? $"name '{PrintableText.Of(Name ?? "")}'"
            : $"id '{PrintableText.Of(Id!)}'{(string.IsNullOrEmpty(Name) ? "" : $" (name '{PrintableText.Of(Name!)}')")}";
        return new Qcow2Exception(
            Qcow2ErrorCode.SnapshotNotFound,
            $"There is no snapshot with the {what}; {(snapshots.Count == 0 ? "the image has no snapshots" : $"the image has {Describe(snapshots)}")}.");
    }

    private Qcow2Exception WhyNone(IReadOnlyList<Qcow2Snapshot> snapshots)
    {
        Qcow2Snapshot? other = string.IsNullOrEmpty(Id)
            ? snapshots.FirstOrDefault(one => Name is not null && one.Name == Name)
            : snapshots.FirstOrDefault(one => one.Id == Id);
        if (other is null)
        {
            return NotFound(snapshots);
        }

        string meant = $"'{PrintableText.Of(Name ?? IdOrName ?? Id ?? "")}'{(CreationTime is DateTime time ? $" of {Text(time)}" : "")}";
        return new Qcow2Exception(
            Qcow2ErrorCode.SnapshotChanged,
            $"The snapshot with the id '{PrintableText.Of(other.Id)}' is '{PrintableText.Of(other.Name)}' of {Text(other.CreationTime)}, and not {meant}, which was "
            + $"asked for: it was removed or renamed. The image has {Describe(snapshots)}.");
    }

    /// <summary>Text, such as that of a CSV file, has often lost the fractions of a second.</summary>
    private static bool IsSameTime(DateTime actual, DateTime said)
    {
        long unit = said.Ticks % TimeSpan.TicksPerSecond != 0 ? 1 : said.Second != 0 ? TimeSpan.TicksPerSecond : TimeSpan.TicksPerMinute;
        return actual.ToUniversalTime().Ticks / unit == said.ToUniversalTime().Ticks / unit;
    }

    private static string Text(DateTime time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture);

    private static string Describe(IEnumerable<Qcow2Snapshot> snapshots)
    {
        const int Shown = 10;
        Qcow2Snapshot[] all = [.. snapshots];
        IEnumerable<string> names = all.Take(Shown).Select(one => $"'{PrintableText.Of(one.Name)}' (id {PrintableText.Of(one.Id)})");
        return $"{string.Join(", ", names)}{(all.Length > Shown ? " and more" : "")}";
    }
}
