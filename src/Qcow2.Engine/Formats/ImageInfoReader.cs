using System.Runtime.ExceptionServices;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats;

/// <summary>Describes files of any format, and the chains that they are in.</summary>
internal static class ImageInfoReader
{
    internal static Qcow2ImageInfo Read(string path, DiskFormat format)
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return Read(file, format, 0);
    }

    /// <summary>Describes what lies in storage of the caller's.</summary>
    internal static Qcow2ImageInfo Read(BlockStorage file, DiskFormat format) => Read(file, format, 0);

    /// <summary>Describes what lies in storage of the caller's and is no file of this machine, so that nothing below it is opened.</summary>
    internal static IEnumerable<Qcow2ImageInfo> ReadChain(BlockStorage file, DiskFormat format)
    {
        Qcow2ImageInfo info = Read(file, format, 0);
        Qcow2Exception? problem = format.HasParent(info)
            ? new Qcow2Exception(
                Qcow2ErrorCode.ReferenceForbidden,
                $"The image names the backing file '{PrintableText.Of(info.BackingFile ?? "")}', and what an image from elsewhere names is never opened.").At(file.Path)
            : null;
        info.BackingFileProblem = problem?.Message;
        yield return info;
        if (problem is not null)
        {
            throw problem;
        }
    }

    internal static IEnumerable<Qcow2ImageInfo> ReadChain(string path, DiskFormat format, Qcow2OpenOptions options)
    {
        Qcow2ImageInfo info;
        ChainContext chain;
        using (LocalFile file = LocalFile.OpenRead(path))
        {
            info = Read(file, format, 0);
            chain = ChainContext.Begin(file, options);
        }

        while (DiskFormats.Get(info.Format).HasParent(info))
        {
            // What is wrong below an image is said on it, so it waits until that is known.
            (Qcow2ImageInfo? parent, ExceptionDispatchInfo? problem) = TryReadParent(info, ref chain);
            info.BackingFileProblem = problem?.SourceException.Message;
            info.ParentPath ??= parent?.Path;
            yield return info;
            problem?.Throw();
            info = parent!;
        }

        yield return info;
    }

    private static (Qcow2ImageInfo? Parent, ExceptionDispatchInfo? Problem) TryReadParent(Qcow2ImageInfo child, ref ChainContext chain)
    {
        try
        {
            (LocalFile file, DiskFormat format) = DiskFormats.Get(child.Format).OpenParentForInformation(child, chain.Options);
            using (file)
            {
                ChainContext below = chain.Enter(file, child.Path);
                Qcow2ImageInfo parent = ParentFile.As(format, file, child.Path, () => Read(file, format, child.Depth + 1));
                chain = below;
                return (parent, null);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, ExceptionDispatchInfo.Capture(e));
        }
    }

    private static Qcow2ImageInfo Read(BlockStorage file, DiskFormat format, int depth)
    {
        try
        {
            Qcow2ImageInfo info = format.Describe(file);
            info.Format = format.Name;
            info.Depth = depth;
            info.Path = file.Path;
            info.FileSize = file.Length;
            info.AllocatedSize = file.AllocatedLength;
            info.LockState = file is LocalFile local ? ImageLock.Probe(local) : ImageLockState.Unlocked;
            info.IsLocked = info.LockState != ImageLockState.Unlocked;
            return info;
        }
        catch (Qcow2Exception e)
        {
            e.At(file.Path);
            throw;
        }
    }
}
