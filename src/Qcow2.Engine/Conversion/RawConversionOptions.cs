namespace Qcow2.Engine.Conversion;

/// <summary>How to write a disk as a raw file.</summary>
public sealed record RawConversionOptions
{
    /// <summary>The defaults.</summary>
    public static RawConversionOptions Default { get; } = new();

    /// <summary>Threads that read, decompress and write; the number of processors, but at most eight, by default.</summary>
    public int ThrottleLimit { get; init; } = Math.Min(Environment.ProcessorCount, 8);

    /// <summary>Runs of zeros of this many bytes become holes; a power of two, 4 KiB by default.</summary>
    public int SparseSize { get; init; } = 4096;
}
