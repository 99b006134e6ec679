namespace Qcow2.Engine.Conversion;

/// <summary>What became of a conversion that came to its end.</summary>
/// <param name="Unreadable">
/// What could not be read and is zeros in the copy, in order and joined; empty unless <see cref="ConversionOptions.Salvage"/> was asked for.
/// </param>
public sealed record ConversionResult(IReadOnlyList<DiskRange> Unreadable)
{
    /// <summary>Names of the bitmaps that were left out because they were never saved.</summary>
    public IReadOnlyList<string> SkippedBitmaps { get; init; } = [];

    /// <summary>Bytes of the disk that the copy shares with the files that it was made from, until one of them is written there.</summary>
    public long SharedBytes { get; init; }

    /// <summary>Why the host shares no more than that, as the end of a sentence; null if it was not asked, or refused nothing.</summary>
    public string? SharingRefusal { get; init; }
}
