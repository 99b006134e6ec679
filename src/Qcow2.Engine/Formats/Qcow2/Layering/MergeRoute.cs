using Qcow2.Engine.Chains;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Layering;

/// <summary>The images from the one that is merged down to the one that it is merged into.</summary>
internal sealed class MergeRoute
{
    private MergeRoute(List<Qcow2ImageInfo> images) => Images = images;

    /// <summary>The images from the top down; the last is the destination.</summary>
    internal IReadOnlyList<Qcow2ImageInfo> Images { get; }

    internal Qcow2ImageInfo Destination => Images[Images.Count - 1];

    /// <summary>How far below the top the destination lies.</summary>
    internal int Depth => Images.Count - 1;

    /// <summary>Follows a chain down to the destination.</summary>
    /// <exception cref="Qcow2Exception">The destination is not in the chain, or the chain is broken above it.</exception>
    internal static MergeRoute Find(string path, ImageMergeOptions options)
    {
        FileIdentity? wanted = options.DestinationPath is null ? null : IdentityOf(options.DestinationPath);
        var images = new List<Qcow2ImageInfo>();
        foreach (Qcow2ImageInfo image in Qcow2ImageInfo.ReadChain(path, options.Open))
        {
            images.Add(image);
            bool isWanted = wanted is not FileIdentity file ? images.Count == 2 : LocalFile.TryIdentify(image.Path)?.IsProvenSameAs(file) == true;
            if (isWanted)
            {
                return images.Count > 1 ? new MergeRoute(images).Checked(options) : throw IntoItself(image.Path);
            }
        }

        throw images.Count == 1
            ? new Qcow2Exception(Qcow2ErrorCode.NoBackingFile, "The image has no backing file that it could be merged into.").At(images[0].Path)
            : new Qcow2Exception(
                Qcow2ErrorCode.NotInBackingChain,
                $"The image is not layered on {options.DestinationPath}, so it cannot be merged into it. Its chain is: "
                + $"{string.Join(", ", images.Skip(1).Select(image => image.Path))}.").At(images[0].Path);
    }

    /// <summary>Refuses a chain that is another one by now.</summary>
    /// <param name="now">The chain as it is, while nobody else can change it.</param>
    internal void RequireSame(MergeRoute now)
    {
        if (!Images.Select(image => (image.Path, image.Format)).SequenceEqual(now.Images.Select(image => (image.Path, image.Format))))
        {
            throw new IOException($"{Images[0].Path}: another program changed what the image is layered on just now. Nothing was changed.");
        }
    }

    /// <summary>To delete a device would delete its name, and leave what is on it.</summary>
    private MergeRoute Checked(ImageMergeOptions options)
    {
        Qcow2ImageInfo? device = options.Source != MergedImage.Delete
            ? null
            : Images.Take(Depth).FirstOrDefault(image => Storage.Destination.At(image.Path).Kind == FileKind.BlockDevice);
        return device is null ? this : throw new NotSupportedException($"{device.Path}: this is a block device, and only files are deleted after a merge. Nothing was changed.");
    }

    private static FileIdentity IdentityOf(string path)
        => LocalFile.TryIdentify(path) ?? throw new FileNotFoundException($"{path}: there is no such file to merge into.", path);

    private static Qcow2Exception IntoItself(string path)
        => new Qcow2Exception(Qcow2ErrorCode.DestinationIsSource, "An image cannot be merged into itself; name one that it is layered on.").At(path);
}
