using System.Collections;
using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using PowerShellPipeline = System.Management.Automation.PowerShell;

namespace Qcow2.PowerShell.Completion;

/// <summary>Reads the images that a half-typed command line names.</summary>
internal static class BoundImages
{
    private const int MaxImages = 20;

    /// <summary>Reads the images; those that cannot be read are left out. Never throws, because completion must not.</summary>
    internal static List<Qcow2ImageInfo> Read(IDictionary boundParameters) => Read<Qcow2ImageInfo>(boundParameters, path => [Qcow2ImageInfo.Read(path)]);

    /// <summary>Reads the names of the disks in archives; what cannot be read is left out. Never throws.</summary>
    internal static List<string> ReadDiskNames(IDictionary boundParameters) => Read<string>(boundParameters, path =>
    {
        using LocalFile file = LocalFile.OpenRead(path);
        return PackedFile.Recognize(file, path) is { IsArchive: true } archive ? archive.ReadDisks(file).Select(disk => disk.Name) : [];
    });

    private static List<T> Read<T>(IDictionary boundParameters, Func<string, IEnumerable<T>> read)
    {
        var found = new List<T>();
        try
        {
            foreach (string path in Paths(boundParameters).Take(MaxImages))
            {
                Try(() => found.AddRange(read(path)));
            }
        }
#pragma warning disable CA1031 // Whatever a half-typed command line leads to.
        catch (Exception)
#pragma warning restore CA1031
        {
            found.Clear();
        }

        return found;
    }

    private static IEnumerable<string> Paths(IDictionary bound)
    {
        foreach (object value in Values(bound[nameof(ImageCmdlet.InputObject)]))
        {
            if ((value as Qcow2ImageObject ?? ImageObjectReader.Read(value)) is Qcow2ImageObject image and not UnusableObject)
            {
                yield return image.Path;
            }
        }

        List<object> literal = Values(bound[nameof(ImageCmdlet.LiteralPath)]);
        List<object> wildcard = Values(bound[nameof(ImageCmdlet.Path)]);
        if (literal.Count + wildcard.Count == 0)
        {
            yield break;
        }

        var resolver = new PathResolver(SessionPaths());
        foreach (object path in literal)
        {
            yield return resolver.Literal(path.ToString()!);
        }

        foreach (string path in wildcard.SelectMany(path => resolver.Wildcard(path.ToString()!)))
        {
            yield return path;
        }
    }

    private static List<object> Values(object? value) => LanguagePrimitives.GetEnumerable(value) is IEnumerable many
        ? [.. many.Cast<object?>().Where(item => item is not null).Select(item => Unwrap(item!))]
        : value is null ? [] : [Unwrap(value)];

    private static object Unwrap(object value) => value is PSObject wrapped && wrapped.BaseObject is not PSCustomObject ? wrapped.BaseObject : value;

    private static PathIntrinsics SessionPaths()
    {
        using PowerShellPipeline pipeline = PowerShellPipeline.Create(RunspaceMode.CurrentRunspace);
        pipeline.AddScript("$ExecutionContext.SessionState.Path");
        return pipeline.Invoke<PathIntrinsics>().Single();
    }

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            // No image, no names.
        }
    }
}
