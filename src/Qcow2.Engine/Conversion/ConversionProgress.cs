namespace Qcow2.Engine.Conversion;

/// <summary>How far a conversion has come.</summary>
/// <param name="BytesDone">Bytes of the disk that are dealt with; holes count as their size.</param>
/// <param name="BytesTotal">Size of the disk.</param>
public readonly record struct ConversionProgress(long BytesDone, long BytesTotal);
