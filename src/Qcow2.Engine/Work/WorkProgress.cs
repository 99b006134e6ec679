namespace Qcow2.Engine;

/// <summary>How far work on a disk has come.</summary>
/// <param name="BytesDone">Bytes of the disk that are dealt with; holes count as their size.</param>
/// <param name="BytesTotal">Size of the disk.</param>
public readonly record struct WorkProgress(long BytesDone, long BytesTotal);
