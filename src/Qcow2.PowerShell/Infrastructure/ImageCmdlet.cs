using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Http;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that does the same for each of the images that it is given, in any of three ways.</summary>
public abstract class ImageCmdlet : Qcow2Cmdlet
{
    internal const string PathSet = "Path";
    internal const string LiteralPathSet = "LiteralPath";
    internal const string InputObjectSet = "InputObject";
    internal const string UriSet = "Uri";

    private readonly DamageWarnings _damage = new();
    private readonly List<ImageLocation> _open = [];
    private readonly HashSet<string> _given = new(DestinationFile.PathComparer);
    private PathResolver? _resolver;

    /// <summary>
    /// The image files. Wildcards are permitted; folders that a wildcard matches are left out. Where a wildcard matches nothing, a file of
    /// that very name is taken, such as <c>disk[1].qcow2</c>; if there is none either, that is an error. Relative paths start from the
    /// current location. Use <c>-LiteralPath</c> for a name that holds brackets or other wildcard characters.
    /// </summary>
    [Parameter(ParameterSetName = PathSet, Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    [PathText(HasWildcards = true)]
    public string[] Path { get; set; } = [];

    /// <summary>
    /// The image files, by names that are taken as they stand: no character is a wildcard. The files that
    /// <c>Get-ChildItem</c> and <c>Get-Item</c> emit bind to this parameter.
    /// </summary>
    [Parameter(ParameterSetName = LiteralPathSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP", "FullName")]
    [ValidateNotNullOrEmpty]
    [PathText]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>
    /// The images, as objects that a cmdlet of this module emitted: a <c>Qcow2ImageInfo</c>, <c>Qcow2Snapshot</c>,
    /// <c>Qcow2Extent</c>, <c>Qcow2CheckResult</c> or any other. The file that its Path property names is read anew. They may have been through a
    /// job, <c>Export-Clixml</c>, <c>Select-Object</c> or a CSV file; what remoting brought from another computer is an error.
    /// </summary>
    [Parameter(ParameterSetName = InputObjectSet, Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [ImageObject]
    public Qcow2ImageObject[] InputObject { get; set; } = [];

    /// <summary>Resolves paths against the session.</summary>
    internal PathResolver Resolver => _resolver ??= new PathResolver(SessionState.Path);

    /// <inheritdoc/>
    protected sealed override void ProcessRecord()
    {
        switch (ParameterSetName)
        {
            case InputObjectSet:
                ProcessEach(InputObject, image => image.Path, image => [FromObject(image)]);
                break;
            case UriSet:
                ProcessEach(Addresses, HttpAddress.Show, address => [new ImageInput(LocationOf(address))]);
                break;
            case LiteralPathSet:
                ProcessEach(LiteralPath, path => path, path => [new ImageInput(Resolver.Literal(path))]);
                break;
            default:
                ProcessEach(Path, path => path, path => Resolver.Wildcard(path).Select(file => new ImageInput(file)));
                break;
        }
    }

    /// <summary>Does the cmdlet's work for one image. Exceptions that tell of the file become errors.</summary>
    /// <param name="image">The image.</param>
    private protected abstract void ProcessImage(ImageInput image);

    /// <summary>Looks at all images that one pipeline object or argument names, before any of them is processed.</summary>
    /// <param name="images">The images.</param>
    private protected virtual void Preview(IReadOnlyList<ImageInput> images)
    {
    }

    /// <summary>The addresses that the images lie at, where the cmdlet takes such.</summary>
    private protected virtual IReadOnlyList<Uri> Addresses => [];

    /// <summary>The image at an address.</summary>
    private protected virtual ImageLocation LocationOf(Uri address) => throw new NotSupportedException();

    /// <summary>What is meant by a file: itself, or the disks that are packed in it.</summary>
    private protected virtual IReadOnlyList<ImageInput> Inside(ImageInput image) => [image];

    /// <summary>Whether images are still needed when they have been processed, until the pipeline ends.</summary>
    private protected virtual bool KeepsOpen => false;

    /// <summary>Leaves an image to somebody who needs it for longer than this command, and closes it.</summary>
    private protected void GiveAway(ImageInput image) => _open.Remove(image.Location);

    /// <summary>Whether the cmdlet can do with a raw disk.</summary>
    private protected virtual bool TakesRaw => false;

    /// <summary>What an object says of its image is kept: a raw disk is not looked at as anything else, for its guest may have made it look so.</summary>
    private protected virtual ImageInput FromObject(Qcow2ImageObject image) => image switch
    {
        UnusableObject unusable => throw unusable.Problem,
        _ when string.IsNullOrEmpty(image.Path) => throw new ImageCmdletException("ObjectIncomplete", ErrorCategory.InvalidData,
            "This object has no Path, so that nobody knows which image it is about."),
        _ when HttpAddress.IsLike(image.Path) => throw new ImageCmdletException("ImageOnOtherComputer", ErrorCategory.InvalidArgument,
            $"{DisplayText.Printable(image.Path)}: this object is about an image on a server, and has neither all of its address nor what it takes to read it. Give the address itself, as Get-Qcow2Image -Uri takes it, and other cmdlets that only read."),
        Qcow2ImageInfo { Format: "raw" } when !TakesRaw => throw ImageCmdletException.NotPossible($"{image.Path}: this is a raw disk; the cmdlet works on qcow2 images."),
        _ => new ImageInput(Resolver.Literal(image.Path), image),
    };

    private void ProcessEach<T>(IEnumerable<T> inputs, Func<T, string> nameOf, Func<T, IEnumerable<ImageInput>> resolve)
    {
        var images = new List<ImageInput>();
        foreach (T input in inputs)
        {
            ForFile(nameOf(input), () => images.AddRange(resolve(input)));
        }

        _given.UnionWith(images.Select(image => image.Path));
        Preview(images);
        foreach (ImageInput image in images)
        {
            if (Stopping)
            {
                return;
            }

            _open.Add(image.Location);
            string? summary;
            try
            {
                ForFile(image.Path, () => Process(image));
            }
            finally
            {
                summary = Close(image);
            }

            WarnOfDamage();
            if (summary is not null)
            {
                WriteVerbose(summary);
            }
        }
    }

    /// <summary>What the engine asks for the passphrases of the files below an image.</summary>
    /// <param name="passphrases">What the user gave; null for nothing.</param>
    private protected Func<string, Passphrase?>? Unseal(BackingPassphrase? passphrases) => passphrases?.Open(Resolver.Literal, Unseal);

    /// <inheritdoc/>
    /// <remarks>The passphrase of a file that was not given as an image is that of one below it.</remarks>
    private protected override string? ParameterFor(string usual, string? path)
        => base.ParameterFor(usual == "Passphrase" && path is not null && !_given.Contains(path) && base.ParameterFor("BackingPassphrase", path) is not null ? "BackingPassphrase" : usual, path);

    /// <summary>Notes what is damaged without being an error; it becomes a warning when the image is done. Safe from any thread.</summary>
    private protected void NoteDamage(string problem) => _damage.Add(problem);

    /// <summary>Reads what an image says of itself, and notes what is damaged.</summary>
    /// <param name="image">The image.</param>
    /// <param name="format">What it is; null for a qcow2 image.</param>
    private protected Qcow2ImageInfo ReadInformation(ImageInput image, DiskFormat? format = null)
    {
        Qcow2ImageInfo info = image.Location.ReadInformation(format ?? DiskImageFormat.Qcow2.Known());
        NoteDamage(info);
        return info;
    }

    /// <summary>Notes what is damaged in an image.</summary>
    private protected void NoteDamage(Qcow2ImageInfo info)
    {
        foreach (string problem in info.Problems)
        {
            NoteDamage($"{info.Path}: {problem}");
        }
    }

    /// <summary>Warns once of what was noted.</summary>
    private protected void WarnOfDamage()
    {
        if (_damage.Take() is string warning)
        {
            WriteWarning(warning);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _open.ForEach(location => location.Dispose());
            _open.Clear();
        }

        base.Dispose(disposing);
    }

    /// <summary>Takes an image until it is closed, and does what has to be done before anything of it is opened.</summary>
    private protected void Ready(ImageInput image)
    {
        if (!_open.Contains(image.Location))
        {
            _open.Add(image.Location);
        }

        if (image.Location.Preparation is string activity)
        {
            Track(activity, image.Path, image.Location.Prepare);
            if (image.Location.Warning is string warning)
            {
                WriteWarning(warning);
            }
        }
    }

    /// <summary>Closes an image that is done.</summary>
    /// <returns>What reading it has taken; null for nothing.</returns>
    private protected string? Close(ImageInput image)
    {
        if (KeepsOpen || !_open.Remove(image.Location))
        {
            return null;
        }

        string? summary = image.Location.Summary;
        image.Location.Dispose();
        return summary;
    }

    private void Process(ImageInput image)
    {
        try
        {
            Ready(image);
            foreach (ImageInput inside in Inside(image))
            {
                if (inside.Location == image.Location)
                {
                    ProcessImage(inside);
                    continue;
                }

                string? summary;
                try
                {
                    Ready(inside);
                    ProcessImage(inside);
                }
                finally
                {
                    summary = Close(inside);
                }

                if (summary is not null)
                {
                    WriteVerbose(summary);
                }
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException && image.Location.LocalPath is string path && Destination.At(path).Kind == FileKind.None)
        {
            string target = Destination.At(image.Path).Target;
            throw new ItemNotFoundException($"Cannot find path '{image.Path}' because {(target == image.Path ? "it does not exist" : $"it is a link to '{target}', which does not exist")}.");
        }
        catch (IOException) when (image.Location.LocalPath is string path && Directory.Exists(path))
        {
            throw ImageCmdletException.PathIsFolder(image.Path);
        }
    }
}
