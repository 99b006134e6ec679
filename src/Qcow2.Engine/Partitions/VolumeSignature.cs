namespace Qcow2.Engine.Partitions;

/// <summary>What lies in a partition, as its superblock says.</summary>
/// <param name="Type">The name that <c>blkid</c> or Windows has for it.</param>
internal sealed record VolumeSignature(string Type)
{
    internal string? Version { get; init; }

    internal string? Label { get; init; }

    internal string? Uuid { get; init; }

    /// <summary>Bytes that it says it has.</summary>
    internal long? Size { get; init; }

    /// <summary>Bytes of a block.</summary>
    internal long? BlockSize { get; init; }

    /// <summary>Where the mark lies in the partition, of what may lie at its end.</summary>
    internal long MarkOffset { get; init; }

    /// <summary>Whether another file system may share its place, as with a CD that is two of them at once.</summary>
    internal bool SharesPlace { get; init; }
}
