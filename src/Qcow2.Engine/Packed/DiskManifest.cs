using Qcow2.Engine.Storage;

namespace Qcow2.Engine;

/// <summary>How a disk in an archive stands to the archive's manifest.</summary>
public enum ManifestState
{
    /// <summary>There is no manifest, or it does not name the disk.</summary>
    NotMentioned,

    /// <summary>The manifest has a sum for the disk, and nobody has compared it: not yet, or because it is of a kind that is not known here.</summary>
    NotCompared,

    /// <summary>The disk has the sum that the manifest says.</summary>
    Matches,

    /// <summary>The disk does not have the sum that the manifest says, or that cannot be told because the manifest contradicts itself or cannot be read.</summary>
    Differs,
}

/// <summary>
/// What the manifest of an OVA says of one of its disks (DSP0243). Whoever changes a file can change the manifest, too, so that it tells what was damaged or mixed up, and nothing of who
/// made it; the certificate that may lie beside it is not looked at.
/// </summary>
public sealed class DiskManifest
{
    private readonly IReadOnlyList<ExpectedHash> _hashes;
    private readonly string _called;
    private readonly string _file;

    private DiskManifest(ManifestState state, string message, IReadOnlyList<ExpectedHash> hashes, string called, string file)
    {
        State = state;
        Message = message;
        _hashes = hashes;
        _called = called;
        _file = file;
    }

    /// <summary>How the disk stands to the manifest, as far as that is known.</summary>
    public ManifestState State { get; }

    /// <summary>That as a sentence for people.</summary>
    public string Message { get; }

    /// <summary>Whether there is a sum that <see cref="Compare"/> can compare.</summary>
    public bool HasSum => _hashes.Count > 0;

    /// <summary>Reads all of a disk, and compares its sums with those of the manifest.</summary>
    /// <param name="disk">The disk, as it lies in the archive.</param>
    /// <param name="progress">Told how much was read; null for nobody.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>How they compare; this where there is no sum.</returns>
    /// <exception cref="IOException">The archive could not be read.</exception>
    public DiskManifest Compare(BlockStorage disk, IProgress<WorkProgress>? progress = null, CancellationToken cancellationToken = default)
        => CompareAndCopy(disk, null, progress, cancellationToken);

    /// <summary>The error that a disk is which does not have its sum.</summary>
    /// <param name="path">The archive.</param>
    public Qcow2Exception ToException(string path) => new Qcow2Exception(Qcow2ErrorCode.ManifestMismatch, Message).At(path);

    /// <summary>Reads all of a disk, and compares its sums, and copies it.</summary>
    internal DiskManifest CompareAndCopy(BlockStorage disk, BlockStorage? copy, IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        if (!HasSum)
        {
            return this;
        }

        HashMeter[] meters = [.. _hashes.Select(hash => hash.Begin())];
        try
        {
            long length = disk.Length;
            HashedRead.Run(disk, meters, copy, progress is null ? null : done => progress.Report(new WorkProgress(done, length)), cancellationToken);
            foreach (HashMeter meter in meters)
            {
                if (!meter.IsMet(out string found))
                {
                    return Said(
                        ManifestState.Differs,
                        $"{_called} says {meter.Expected} of '{_file}', and that has {found}. It was damaged on its way, or was changed after the manifest was made: get the archive again.");
                }
            }

            return Said(ManifestState.Matches, $"'{_file}' has the sum that the manifest in the archive says: {string.Join(", ", _hashes)}.");
        }
        finally
        {
            Array.ForEach(meters, meter => meter.Dispose());
        }
    }

    internal static DiskManifest Said(ManifestState state, string message) => new(state, message, [], "", "");

    /// <param name="hashes">The sums, each of another algorithm.</param>
    /// <param name="called">What the manifest is called, as a sentence begins.</param>
    /// <param name="file">What the disk is called.</param>
    internal static DiskManifest Of(IReadOnlyList<ExpectedHash> hashes, string called, string file)
        => new(ManifestState.NotCompared, $"{called} has a sum for '{file}', which was not compared.", hashes, called, file);
}
