using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that does the same for any number of snapshots of each image.</summary>
public abstract class SnapshotSelectionCmdlet : ImageCmdlet
{
    /// <summary>
    /// Names of the snapshots, or ids. Wildcards are permitted in names. Case matters only where it tells snapshots apart. What no snapshot
    /// has is an error, and so is the name of one snapshot that is the id of another: <c>-Id</c> says which. That <c>*</c> or <c>?</c>
    /// match nothing is no error.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("SnapshotName", "CheckpointName")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? Name { get; set; }

    /// <summary>
    /// Ids of the snapshots, taken as they stand. An id that no snapshot has is an error. With <c>-Name</c>, too, a snapshot is
    /// selected only if it fits both.
    /// </summary>
    [Parameter]
    [Alias("SnapshotId")]
    [ArgumentCompleter(typeof(SnapshotNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[]? Id { get; set; }

    /// <inheritdoc/>
    private protected sealed override void ProcessImage(ImageInput image)
    {
        // A snapshot that comes down the pipeline stands for itself, not for all of its image's.
        SnapshotSelector? own = image.Object?.SelectSnapshot();
        EnsureSelected(image.Path, Name is not null || Id is not null || own is not null);
        Qcow2ImageInfo info = Qcow2ImageInfo.Read(image.Path);
        Qcow2Snapshot[] all = own is null ? info.Snapshots : [own.Find(info)];

        bool isComplete = own is null; // Of single snapshots, names and ids choose some.
        HashSet<Qcow2Snapshot>? named = Name is null ? null : [.. Name.SelectMany(name => Named(info, name, isComplete))];
        HashSet<Qcow2Snapshot>? numbered = Id is null ? null : [.. Id.SelectMany(id => Numbered(info, id, isComplete))];
        ProcessSnapshots(image.Path, [.. all.Where(snapshot => named?.Contains(snapshot) != false && numbered?.Contains(snapshot) != false)]);
    }

    /// <summary>Whether one name may select all snapshots that have it. It is legal to have several.</summary>
    private protected virtual bool TakesTwins => true;

    /// <summary>Refuses, where the cmdlet must not take all snapshots because none was named.</summary>
    private protected virtual void EnsureSelected(string path, bool isSelected)
    {
    }

    /// <summary>Does the cmdlet's work for the snapshots of one image that were selected.</summary>
    private protected abstract void ProcessSnapshots(string path, IReadOnlyList<Qcow2Snapshot> snapshots);

    private Qcow2Snapshot[] Named(Qcow2ImageInfo info, string name, bool isComplete)
    {
        if (WildcardPattern.ContainsWildcardCharacters(name))
        {
            return Matching(info, name, isComplete);
        }

        var selector = SnapshotSelector.Of(WildcardPattern.Unescape(name));
        Qcow2Snapshot[] meant = [.. SnapshotSelector.Meant(info.Snapshots, selector.IdOrName!)];
        if (Id is not null)
        {
            return meant; // The ids say which of them.
        }

        bool isSettled = meant.Length == 1 || (TakesTwins && meant.Select(one => one.Name).Distinct(StringComparer.Ordinal).Count() == 1);
        if (meant.Length == 0)
        {
            Report(isComplete, selector.NotFound(info));
        }
        else if (!isSettled)
        {
            Report(true, selector.Ambiguous(info, meant));
            return [];
        }

        return meant;
    }

    private Qcow2Snapshot[] Matching(Qcow2ImageInfo info, string pattern, bool isComplete)
    {
        Qcow2Snapshot[] matches = [];
        try
        {
            var wildcard = WildcardPattern.Get(pattern, WildcardOptions.IgnoreCase);
            matches = [.. info.Snapshots.Where(snapshot => wildcard.IsMatch(snapshot.Name))];
        }
        catch (WildcardPatternException)
        {
            // A bracket that is not closed can only be one of the name.
        }

        if (matches.Length > 0)
        {
            return matches;
        }

        // People do not think of brackets as wildcards.
        Qcow2Snapshot[] exact = [.. info.Snapshots.Where(snapshot => snapshot.Name == pattern)];
        if (exact.Length == 0 && pattern.IndexOfAny(['*', '?']) < 0)
        {
            Report(isComplete, new SnapshotSelector { Name = pattern }.NotFound(info));
        }
        else if (exact.Length == 0)
        {
            WriteVerbose($"{info.Path}: no snapshot has a name like '{DisplayText.Printable(pattern)}'.");
        }
        else if (exact.Length > 1 && !TakesTwins)
        {
            Report(true, new SnapshotSelector { Name = pattern }.Ambiguous(info, exact));
            return [];
        }

        return exact;
    }

    private Qcow2Snapshot[] Numbered(Qcow2ImageInfo info, string id, bool isComplete)
    {
        Qcow2Snapshot[] found = [.. info.Snapshots.Where(snapshot => snapshot.Id == id)];
        if (found.Length == 0)
        {
            Report(isComplete, new SnapshotSelector { Id = id }.NotFound(info));
        }

        return found;
    }

    private void Report(bool isWanted, Qcow2Exception error)
    {
        if (isWanted)
        {
            WriteError(ErrorRecords.From(error, error.Path!));
        }
    }
}
