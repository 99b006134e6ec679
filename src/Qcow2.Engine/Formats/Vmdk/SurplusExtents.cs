using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>
/// The files of a disk that another one takes the place of, and that the new one does not replace because it has fewer: nothing names them any more. They are deleted
/// when the new disk is complete.
/// </summary>
/// <remarks>
/// A descriptor can name any file, and may come from anybody. So only those count that have the name which an extent of this very disk has, lie beside it, and are what
/// the descriptor says of them. All else stays.
/// </remarks>
internal sealed class SurplusExtents : IDisposable
{
    private readonly List<HeldFile> _files = [];

    /// <summary>Takes hold of them.</summary>
    /// <param name="path">Full path of the file that is replaced.</param>
    /// <param name="made">Full paths of the files that are made.</param>
    /// <param name="source">What is copied, and may be read from one of them; null for nothing.</param>
    /// <exception cref="Qcow2Exception">Another program has one of them open.</exception>
    internal static SurplusExtents Of(string path, IReadOnlyCollection<string> made, VirtualDisk? source)
    {
        var surplus = new SurplusExtents();
        try
        {
            foreach ((VmdkExtentLine line, string file) in NamedBy(path))
            {
                if (!made.Contains(file, StringComparer.OrdinalIgnoreCase) && source?.ReadsFrom(file) != true)
                {
                    surplus.Hold(line, file);
                }
            }

            return surplus;
        }
        catch
        {
            surplus.Dispose();
            throw;
        }
    }

    /// <summary>Deletes them. One that cannot be is left, as it is by all programs: the new disk is complete without.</summary>
    internal void Delete()
    {
        foreach (HeldFile file in _files)
        {
            try
            {
                file.Delete();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It stays.
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    /// <summary>The extents of a disk that have files of their own, by names that are made for it.</summary>
    private static IEnumerable<(VmdkExtentLine Line, string Path)> NamedBy(string path)
    {
        if (!IsFile(path) || DescriptorOf(path) is not VmdkDescriptor descriptor)
        {
            yield break;
        }

        for (int i = 0; i < descriptor.Extents.Count; i++)
        {
            VmdkExtentLine line = descriptor.Extents[i];
            VmdkCreateType? type = line switch
            {
                { Type: VmdkExtentType.Sparse } => VmdkCreateType.TwoGbMaxExtentSparse,
                { Type: VmdkExtentType.Flat, Offset: 0 } => descriptor.Extents.Count == 1 && line.FileName == NameOf(path, VmdkCreateType.MonolithicFlat, i)
                    ? VmdkCreateType.MonolithicFlat : VmdkCreateType.TwoGbMaxExtentFlat,
                _ => null,
            };
            if (type is VmdkCreateType known && line.FileName == NameOf(path, known, i))
            {
                yield return (line, VmdkFileName.PathOf(path, line.FileName!));
            }
        }
    }

    private static VmdkDescriptor? DescriptorOf(string path)
    {
        try
        {
            using LocalFile file = LocalFile.OpenRead(path);
            return file.Length <= VmdkFormat.MaxMarkedDescriptorLength && VmdkDisk.LoadDescriptor(file) is { Layout: null } alone ? alone.Descriptor : null;
        }
        catch (Exception e) when (e is Qcow2Exception or IOException or UnauthorizedAccessException)
        {
            return null; // It is no disk of several files; that it can be replaced is another's business.
        }
    }

    private static string? NameOf(string path, VmdkCreateType type, int index)
    {
        try
        {
            return VmdkFileName.OfExtent(path, type, index);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Whether a regular file is there, and no link to one.</summary>
    private static bool IsFile(string path) => Destination.At(path) is { Kind: FileKind.Regular } there && string.Equals(there.Target, there.Path, StringComparison.Ordinal);

    private void Hold(VmdkExtentLine line, string path)
    {
        if (!IsFile(path))
        {
            return;
        }

        var held = HeldFile.Hold(path);
        if (IsAsSaid(line, held.File))
        {
            _files.Add(held);
        }
        else
        {
            held.Dispose();
        }
    }

    private static bool IsAsSaid(VmdkExtentLine line, LocalFile file)
    {
        long length = line.Sectors * VmdkLimits.SectorSize;
        try
        {
            return line.Type == VmdkExtentType.Flat
                ? file.Length == length
                : VmdkSparseLayout.Load(file) is { Kind: VmdkSparseKind.Hosted, DescriptorLength: 0 } layout && layout.Capacity == length;
        }
        catch (Exception e) when (e is Qcow2Exception or IOException)
        {
            return false;
        }
    }
}
