namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>An extent of a new disk.</summary>
/// <param name="FileName">Its file, which lies beside the descriptor or is the one that the descriptor lies in.</param>
/// <param name="Length">Bytes of the disk that lie in it.</param>
internal readonly record struct VmdkNewExtent(string FileName, long Length);
